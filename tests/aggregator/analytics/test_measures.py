"""The table of measures: a row of it is in every place, and ledgers without one can be opened."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

import aggregator
from aggregator.analytics.measures import MEASURES, SHOWN, joined
from aggregator.ledger.database import BEFORE, SCHEMA, columns
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.report import exported, opened, problems, status
from aggregator.stream.workers.partial_sums import WITH_MOMENTS
from tests.aggregator.support.event_oracle import SLIDING, at, made
from tests.aggregator.support.records import tallied

ROOT = Path(aggregator.__file__).parents[1]
KEPT = ROOT / "tests/records/ledger-2.duckdb.gz"
"""A ledger with an event window and sensors beyond its capacity, made by the last version that kept
sums and nothing else: batches 0 and 1 of query q."""
FIELD = "trial_temperature_by_state"


def old_ledger(folder: Path) -> Path:
    path = folder / "ledger.duckdb"
    path.write_bytes(gzip.decompress(KEPT.read_bytes()))
    return path


def with_trial(ledger: Path, batch: int) -> dict[str, Any]:
    """What a program with one measure more says of the ledger, after two batches."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.aggregator.support.added_measure", ledger, str(batch)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def lists(snapshot: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {name: dict(scope[FIELD]) for name, scope in snapshot["scopes"].items()}


def test_a_row_of_the_table_is_all_that_the_job_needs(tmp_path: Path) -> None:
    found = with_trial(tmp_path / "l.duckdb", 0)
    # What is made at second S is 50 + S / 7 degrees: 57.29, 57.57 and once more, 57.43, 57.93.
    assert found["rows"] == [pytest.approx(172.4286, abs=1e-4)]
    first, last = map(lists, found["snapshots"])
    assert first["window"] == {"CA": pytest.approx(172.4286, abs=1e-4)}
    assert first["since_start"] == {"CA": pytest.approx(114.8571, abs=1e-4)}
    assert last["window"] == pytest.approx({"CA": 57.4286, "OH": 57.9286}, abs=1e-4)
    assert last["since_start"] == pytest.approx({"CA": 172.2857, "OH": 57.9286}, abs=1e-4)
    assert last["event"] == pytest.approx({"CA": 114.7143}, abs=1e-4)
    assert all("known_from" not in snapshot for snapshot in found["snapshots"])
    assert re.search(
        r"°F .* trial sensors\nOH +57.93 .* 57.93 +1 +CA +57.43 .* 172.29 +1\n", found["table"]
    )
    name = "state_trial_temperature_fahrenheit since_start CA"
    assert found["metrics"][name] == last["since_start"]["CA"]
    assert ["since_start", "CA", last["since_start"]["CA"]] in found["history"]
    assert found["exported"] == [last["since_start"]["CA"], last["since_start"]["OH"]]
    assert found["problems"] == []


def test_in_a_ledger_of_before_a_measure_is_known_from_the_next_batch_on(tmp_path: Path) -> None:
    path = old_ledger(tmp_path)
    found = with_trial(path, 2)
    assert found["before"][FIELD] is None
    assert [snapshot["known_from"][FIELD] for snapshot in found["snapshots"]] == [
        "2023-11-14T22:15:00.000000Z"
    ] * 2
    since_start = found["snapshots"][-1]["scopes"]["since_start"]
    assert since_start["total_messages"] == 10
    assert since_start[FIELD] == [
        ["CA", pytest.approx(172.2857, abs=1e-4)],
        ["OH", 57.92857142857143],
    ]
    assert found["problems"] == []


def test_what_one_version_did_not_keep_is_not_known_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with_trial(path, 0)
    with Ledger(path, SLIDING, capacity=1) as ledger:
        assert ledger.known_from() == {}
        ledger.add("q", 2, tallied([made(54)], schema=WITH_MOMENTS), at(100))
        assert ledger.analytics().total_messages == 5
    found = with_trial(path, 3)
    assert found["before"] == {FIELD: None}
    since_start = lists(found["snapshots"][0])["since_start"]
    assert since_start == {"CA": pytest.approx(114.8571, abs=1e-4)}


def test_a_ledger_of_before_can_be_looked_into_and_opened(tmp_path: Path) -> None:
    path = old_ledger(tmp_path)
    with opened(path) as connection:
        assert problems(connection) == []
        assert status(connection)["beyond its capacity, readings"] == 1
        rows = list(exported(connection))
    assert {row["guid"]: row["average_temperature"] for row in rows} == pytest.approx(
        {"a": 50.428571, "b": 50.428571, "c": 50.857143, None: 50.928571}
    )
    for _ in range(2):
        with Ledger(path, SLIDING, capacity=3) as ledger:
            found = ledger.analytics()
            assert (found.total_messages, found.total_sensors) == (6, 4)
            event = ledger.event()
            assert event is not None
            assert event.total_messages == 3
    with opened(path) as connection:
        assert problems(connection) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from aggregator.ledger import database, ledger
from tests.aggregator.support.event_oracle import SLIDING

whole, left = getattr(database, sys.argv[2]), [int(sys.argv[3])]
def killed(*given, **named):
    whole(*given, **named)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
for module in (database, ledger):
    if hasattr(module, sys.argv[2]):
        setattr(module, sys.argv[2], killed)
ledger.Ledger(Path(sys.argv[1]), SLIDING, capacity=3)
"""


@pytest.mark.parametrize(
    ("within", "count", "known"),
    (
        # The transaction is open.
        ("_add", 3, False),
        ("_add", len(MEASURES), False),
        # It is committed, and in the log beside the file alone.
        ("prepare", 1, True),
    ),
)
def test_a_kill_while_a_ledger_of_before_is_opened_leaves_the_old_one_or_the_new(
    tmp_path: Path, within: str, count: int, *, known: bool
) -> None:
    path = old_ledger(tmp_path)
    command = [sys.executable, "-c", KILLED, str(path), within, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with opened(path) as connection:
        assert problems(connection) == []
        assert ("minimum" in columns(connection, "event_total")) == known
        (schema,) = connection.execute("SELECT schema FROM progress").fetchall()
        assert schema == ((SCHEMA if known else BEFORE),)
    with Ledger(path, SLIDING, capacity=3) as ledger:
        assert ledger.known_from() == {measure.field: None for measure in SHOWN}
        ledger.add("q", 2, tallied([made(54)], schema=WITH_MOMENTS), at(100))
        assert None not in ledger.known_from().values()
        assert ledger.analytics().total_messages == 7
    with opened(path) as connection:
        assert problems(connection) == []


def test_a_ledger_that_a_job_of_before_made_and_never_filled_is_filled(tmp_path: Path) -> None:
    path = old_ledger(tmp_path)
    with duckdb.connect(path) as connection:
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 a table of ours
    with Ledger(path, SLIDING, capacity=1) as ledger:
        assert ledger.progress is None
        for batch, second in enumerate((51, 55)):
            records = [made(second, seq=batch + 1), made(second, "other", "OH")]
            ledger.add("q", batch, tallied(records, schema=WITH_MOMENTS), at(100))
        assert ledger.known_from() == {}
        for found in (ledger.analytics(), ledger.event()):
            assert found is not None
            for measure in SHOWN:
                assert dict(found.further[measure.field]).keys() == {"CA", "OH"}
    with opened(path) as connection:
        assert problems(connection) == []


def test_a_new_measure_is_described_and_on_the_page() -> None:
    schema = json.loads(
        (ROOT / "isotherm/contract/schemas/snapshot.schema.json").read_text(encoding="utf-8")
    )
    described = schema["$defs"]["analytics"]["properties"].keys()
    page = (ROOT / "dashboard/static/measures.js").read_text(encoding="utf-8")
    fields = [measure.field for measure in SHOWN]
    of_four = [
        "average_temperature_by_state",
        "total_messages",
        "sensors_by_state",
        "total_sensors",
    ]
    assert list(described) == [*of_four, *fields]
    assert re.findall(r'\["(\w+)", "', page) == fields


def test_sums_are_joined_whatever_is_known() -> None:
    known = {measure.name: 1.0 for measure in MEASURES}
    assert joined(known, {}) == joined({}, known) == known
    assert joined({}, {}) == dict.fromkeys(known)
