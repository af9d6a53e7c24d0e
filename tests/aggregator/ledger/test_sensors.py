from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aggregator.cli.run import pages
from aggregator.ledger.ledger import Ledger
from aggregator.monitoring.counters import Observed
from aggregator.monitoring.view import View
from tests.aggregator.support.records import reading, tallied

SECOND = 1_000_000_000


def filled(ledger: Ledger) -> Ledger:
    ledger.add("q", 0, tallied([reading("late", "CA", 50.0, seq=1)]), 10 * SECOND)
    more = [
        *(reading(f"s{number}", "CA", 60.0 + number, seq=1) for number in range(3)),
        reading("s0", "CA", 70.0, seq=2),
        reading("s0", "CA", 70.0, seq=2),
        reading("other", "NV", 99.0),
    ]
    ledger.add("q", 1, tallied(more), 20 * SECOND)
    return ledger


def test_a_states_sensors_those_offline_first() -> None:
    with Ledger(Path(":memory:")) as ledger:
        sensors = filled(ledger).sensors(lambda: 20 * SECOND)
        found = sensors.of_state("CA")
        assert (found["state"], found["total"]) == ("CA", 4)
        assert [one["guid"] for one in found["sensors"]] == ["late", "s0", "s1", "s2"]
        assert [one["offline"] for one in found["sensors"]] == [True, False, False, False]
        assert found["sensors"][0]["last_seen"] == "1970-01-01T00:00:10.000000Z"
        again = found["sensors"][1]
        assert (again["readings"], again["average_temperature"]) == (2, 65.0)
        assert len(sensors.of_state("CA", 2)["sensors"]) == 2
        assert sensors.of_state("WY") == {"state": "WY", "total": 0, "sensors": []}


def test_who_asks_in_the_middle_of_a_batch_gets_the_one_before(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        sensors = filled(ledger).sensors(lambda: 0)
        ledger._connection.begin()  # noqa: SLF001 as in the middle of a batch
        ledger._connection.execute("DELETE FROM sensor")  # noqa: SLF001 the same
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(sensors.of_state("CA")["total"]))
        thread.start()
        thread.join(30)
        ledger._connection.rollback()  # noqa: SLF001 the same
    assert found == [4]


@pytest.mark.parametrize("ledger", (True, False))
def test_the_job_answers_for_every_state(*, ledger: bool) -> None:
    view = View(observed=Observed(), trigger=3.0)
    with Ledger(Path(":memory:")) as kept:
        if ledger:
            view.sensors = filled(kept).sensors(lambda: 0)
        status, kind, body = pages(view)["/sensors/NV"]()
    if ledger:
        assert (status, kind) == (200, "application/json")
        assert '"guid":"other"' in body
    else:
        assert status == 503
        assert "--scope both" in body
