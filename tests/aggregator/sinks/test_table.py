from dataclasses import replace

import pytest

from aggregator.analytics.analytics import Analytics
from aggregator.sinks.table import render_table
from isotherm.contract.states import MEAN_TEMPERATURE
from tests.aggregator.support.golden import EVENT_WINDOW, snapshot

ALL_STATES = Analytics(
    average_temperature_by_state=tuple(
        sorted(MEAN_TEMPERATURE.items(), key=lambda row: (-row[1], row[0]))
    ),
    total_messages=12_345_678,
    sensors_by_state=tuple((state, 123_456) for state in sorted(MEAN_TEMPERATURE)),
    total_sensors=1_000_000,
)
SMALL = """\
2016-11-21 13:30:09  batch 7  computed in 912 ms
── this trigger: 10,000 messages, 2,086 sensors ──────────
        °F     min     max sensors
FL   70.71   -4.00  104.25      12
HI   70.60       —       —       0
rejected: 2 not_json, 1 unknown_state

"""


def test_one_trigger() -> None:
    scope = replace(snapshot().scopes["window"], sensors_by_state=(("FL", 12),))
    assert render_table(replace(snapshot(), scopes={"window": scope}), 58) == SMALL


def test_the_event_window() -> None:
    text = render_table(snapshot(event=EVENT_WINDOW), 100)
    _, _, _, _, _, title, _, states, left_out, *_ = text.split("\n")
    name = "event time 2016-11-21 13:24:57 to 13:29:57"
    assert title.startswith(f"── {name}: 15,000 messages, 55 sensors ─")
    assert states == "FL   71.25       —       —      55"
    assert left_out == "left out since it began: 1,234 too late, 1 too far ahead"


def test_an_idle_trigger_is_one_line() -> None:
    text = render_table(snapshot(idle=True, since_start=True), 80)
    assert text == "2016-11-21 13:30:09  no new messages\n"


@pytest.mark.parametrize(("width", "lines"), ((20, 51), (80, 26), (120, 17)))
def test_no_line_is_wider_than_the_terminal(width: int, lines: int) -> None:
    full = replace(
        snapshot(), lag=70, scopes={"window": ALL_STATES, "since_start": ALL_STATES}, rejected={}
    )
    text = render_table(full, width)
    table = text.split("\n")[1 : 3 + lines]
    assert all(len(line) <= max(width, 80) for line in text.split("\n"))
    assert sum(line.count("  ") > 0 for line in table[2:]) == lines
    assert all(text.count(f"{state} ") == 2 for state in MEAN_TEMPERATURE)
    assert "since start: 12,345,678 messages, 1,000,000 sensors" in text
    assert "70 offsets behind" in text
