"""When an alert begins and ends: hysteresis and hold times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from dashboard.alerts.condition import (
    Conditions,
    Key,
    Level,
    Measure,
    Transition,
    advance,
)
from dashboard.alerts.rules import HOT, Limits, rules

if TYPE_CHECKING:
    from collections.abc import Iterable

S = 10**9
RULES = rules(Limits(hold=600 * S))
KEY = Key(HOT, "AZ")
BAD, BETWEEN, WELL = Level.BAD, Level.BETWEEN, Level.GOOD
CALM = RULES[HOT].calm // S


def run(steps: Iterable[tuple[int, Level]]) -> list[tuple[int, bool]]:
    """(second, begins) of each transition."""
    book: Conditions = {}
    found: list[Transition] = []
    for second, verdict in steps:
        book, changes = advance(book, [Measure(KEY, 0.0, verdict)], second * S, RULES)
        found += changes
    return [(change.at // S, change.firing) for change in found]


def test_a_trouble_that_lasts_fires_once_and_is_over_once() -> None:
    hot = [(second, BAD) for second in range(0, 1200, 3)]
    well = [(second, WELL) for second in range(1200, 2400, 3)]
    assert run(hot + well) == [(600, True), (1500, False)]


def test_a_trouble_that_is_over_before_its_hold_is_no_alert() -> None:
    assert run([(0, BAD), (300, BAD), (599, WELL), (600, BAD), (1199, BAD)]) == []


def test_what_lies_between_neither_begins_nor_ends_anything() -> None:
    assert run([(second, BETWEEN) for second in range(0, 6000, 30)]) == []
    held = [(0, BAD), *((second, BETWEEN) for second in range(30, 6000, 30))]
    assert run(held) == [(600, True)]


def test_one_well_snapshot_does_not_end_an_alert() -> None:
    steps = [(0, BAD), (600, BAD), (700, WELL), (703, BAD), (900, BAD), (1100, BAD)]
    assert run(steps) == [(600, True)]


def test_what_is_not_measured_stays_as_it_is() -> None:
    book, _ = advance({}, [Measure(KEY, 120.0, BAD)], 0, RULES)
    later, changes = advance(book, [], 10_000 * S, RULES)
    assert (later, changes) == (book, [])


def test_the_alert_knows_when_the_trouble_began() -> None:
    book, _ = advance({}, [Measure(KEY, 120.0, BAD)], 7 * S, RULES)
    book, _ = advance(book, [Measure(KEY, 121.0, BAD)], 700 * S, RULES)
    assert (book[KEY].since, book[KEY].value) == (7 * S, 121.0)


def test_what_is_well_takes_no_room() -> None:
    book, _ = advance({}, [Measure(KEY, 120.0, BAD)], 0, RULES)
    book, _ = advance(book, [Measure(KEY, 70.0, WELL)], S, RULES)
    assert book == {}


@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from(list(Level))), max_size=60))
def test_nothing_flaps_whatever_comes(steps: list[tuple[int, Level]]) -> None:
    second = 0
    timed = []
    for pause, verdict in steps:
        second += pause
        timed.append((second, verdict))
    found = run(timed)
    assert [begins for _, begins in found] == [place % 2 == 0 for place in range(len(found))]
    at = [0, *(second for second, _ in found)]
    for place, (second, begins) in enumerate(found):
        assert second - at[place] >= (600 if begins else CALM)
        # It began in a trouble, or ended without one, that lasted as long as it must.
        lasted = [v for s, v in timed if second - (600 if begins else CALM) < s <= second]
        assert (WELL if begins else BAD) not in lasted
