"""What people and programs see of a ledger that was full."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import jsonschema
import pytest
from click.testing import CliRunner

from aggregator.analytics.approximate import Approximate, Uncertain
from aggregator.analytics.snapshot import to_json
from aggregator.cli.commands import group
from aggregator.cli.run import warn_closed, warn_full
from aggregator.ledger import hyperloglog as sketch
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.report import exported, opened, problems, status
from aggregator.monitoring.counters import Observed
from aggregator.monitoring.view import View
from aggregator.sinks.console import render
from aggregator.sinks.files import HistorySink
from aggregator.sinks.table import render_table
from aggregator.stream.trigger import Triggers
from isotherm.log import start_logging
from tests.aggregator.analytics.test_snapshot import SCHEMA
from tests.aggregator.cli.test_history import answer
from tests.aggregator.monitoring.test_metrics import shown
from tests.aggregator.stream.test_trigger import Kept, Ticks
from tests.aggregator.support.golden import snapshot
from tests.aggregator.support.records import gap, reading, summed, tallied

APPROXIMATE = Approximate(
    ledger_sensors=2000,
    beyond=Uncertain(messages=12_345, gaps=1, sensors=90, sensors_by_state=(("AK", 90),)),
    relative_error=sketch.RELATIVE_ERROR,
    confidence=sketch.CONFIDENCE,
)
FULL = replace(snapshot(since_start=True), approximate=APPROXIMATE)
WORDS = (
    "about 90 sensors beyond the 2,000 of the ledger, within 1.6% (95% sure), in 12,345 messages, "
    "duplicates included"
)


def test_json_says_approximate_with_the_bound() -> None:
    wire = json.loads(to_json(FULL))
    jsonschema.validate(wire, SCHEMA)
    assert wire["approximate"] == {
        "ledger_sensors": 2000,
        "beyond": {"messages": 12_345, "gaps": 1, "sensors": 90, "sensors_by_state": [["AK", 90]]},
        "relative_error": 0.01625,
        "confidence": 0.95,
    }
    assert "approximate" not in json.loads(to_json(snapshot(since_start=True)))


def test_both_consoles_say_it_where_it_holds() -> None:
    block = render(FULL).split("-------------------------------------------\n")[-1]
    assert block == f"Approximate: {WORDS}\n\n"
    assert render(FULL).count("Approximate") == 1
    table = render_table(FULL, 80)
    assert " ".join(table.partition("approximate: ")[2].split()) == WORDS
    assert all(len(line) <= 80 for line in table.split("\n"))
    assert "pproximate" not in render(snapshot()) + render_table(snapshot(since_start=True), 80)


def test_metrics_show_room_and_what_is_beyond() -> None:
    observed = Observed()
    view = View(observed=observed, trigger=3.0, capacity=2000)
    observed.emit(snapshot(since_start=True))
    found = shown(view)
    assert (found["ledger_sensors"], found["ledger_capacity"]) == (2090, 2000)
    assert (found["approximate"], found["beyond sensors"]) == (0, 0)
    observed.emit(FULL)
    found = shown(view)
    assert (found["ledger_sensors"], found["approximate"]) == (2000, 1)
    assert (found["beyond messages"], found["beyond sensors"], found["beyond gaps"]) == (
        12_345,
        90,
        1,
    )


def test_the_history_keeps_it(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    sink.emit(FULL)
    found = answer(tmp_path, "SELECT scope, approximate FROM total ORDER BY scope")
    assert found == [("since_start", True), ("window", False)]
    bound = answer(tmp_path, "SELECT (approximate ->> 'relative_error')::DOUBLE FROM snapshot")
    assert bound == [(0.01625,)]


def test_the_job_is_told_once_and_idle_snapshots_say_it_too() -> None:
    kept, told = Kept(), list[Approximate]()
    with Ledger(Path(":memory:"), capacity=1) as ledger:
        triggers = Triggers(
            scopes=("since_start",), ledger=ledger, sinks=[kept], clock=Ticks(), full=told.append
        )
        triggers.batch("q", 0, lambda: summed([reading("a")]))
        triggers.batch("q", 1, lambda: summed([reading("b")]))
        triggers.batch("q", 2, lambda: summed([reading("c")]))
        triggers.idle("q")
    assert [bool(found.approximate) for found in kept.snapshots] == [False, True, True, True]
    assert [found.beyond.sensors for found in told] == [1]


def test_the_log_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    log = start_logging("aggregator")
    warn_full(2000, log)
    warn_closed(APPROXIMATE, 2000, log)
    warn_closed(None, 9000, log)
    (line,) = capsys.readouterr().err.splitlines()
    assert "the ledger is full" in line
    assert "ledger rebuild" in line
    warn_closed(APPROXIMATE, 9000, log)
    assert "no rows in it, whatever --ledger-sensors is now" in capsys.readouterr().err


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "l.duckdb"
    records = [
        reading("a", temperature=60.0),
        reading("b", "NV"),
        gap("z", first=1, last=1, count=1),
    ]
    with Ledger(path, capacity=1) as ledger:
        ledger.add("q", 0, tallied([*records, reading("c", "NV")]), 0)
    return path


def test_status_verify_and_export_know_it(path: Path) -> None:
    with opened(path) as connection:
        found = status(connection)
        rows = list(exported(connection))
        assert problems(connection) == []
    names = ("sensors", "beyond its capacity, readings", "beyond its capacity, sensors, about")
    assert [found[name] for name in names] == [1, 2, 2]
    assert found["beyond its capacity, gaps"] == 1
    assert [(row["guid"], row["state"], row["readings"]) for row in rows] == [
        ("a", "CA", 1),
        (None, "CA", 0),
        (None, "NV", 2),
    ]
    done = CliRunner().invoke(group, ["ledger", "status", "--ledger", str(path)])
    assert "beyond its capacity, sensors, about: 2\n" in done.output


@pytest.mark.parametrize(
    "harm",
    ("readings = -1", "total = 'nan'::DOUBLE", "sketch = sketch[1:9]", "gaps = 0", "total = 1e9"),
)
def test_verify_names_what_cannot_be(path: Path, harm: str) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(f"UPDATE beyond SET {harm}")  # noqa: S608 a case of this test
    with opened(path) as connection:
        assert "numbers beyond the capacity cannot be" in " ".join(problems(connection))


def test_a_ledger_of_before_is_read_as_it_is(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("DROP TABLE beyond")
    with opened(path) as connection:
        assert not any("beyond" in name for name in status(connection))
        assert problems(connection) == []
        assert [row["guid"] for row in exported(connection)] == ["a"]
