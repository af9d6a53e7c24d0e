from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.analytics.moved import EXAMPLES
from aggregator.analytics.sensor_lists import Moved, Offline, Silent
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.population import Silence
from tests.aggregator.support.records import SECOND, reading, tallied

OTHER = "00000000000000b2"
EVENT = "2016-11-16T13:26:39.447974Z"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.duckdb") as opened:
        yield opened


def test_several_epochs_are_one_sensor_that_has_not_moved(ledger: Ledger) -> None:
    ledger.add("q", 0, tallied([reading("a", seq=1), reading("a"), reading("b")]), 0)
    ledger.add("q", 1, tallied([reading("a", seq=1, epoch=OTHER)]), 0)
    found = ledger.analytics()
    assert (found.sensors_by_state, found.total_sensors) == ((("CA", 2),), 2)
    assert ledger.moved() == Moved()


def test_a_sensor_that_moves_counts_in_both_states_once_in_all_and_is_named(
    ledger: Ledger,
) -> None:
    tally = tallied([reading("a", "NV"), reading("a", "AK"), reading("b", "AK")])
    assert tally.moved == Moved(total=1, sensors=(("a", ("AK", "NV")),))
    ledger.add("q", 0, tally, 0)
    later = tallied([reading("b", "CA", seq=1)])
    assert later.moved == Moved()
    ledger.add("q", 1, later, 0)
    assert ledger.moved() == Moved(total=2, sensors=(("a", ("AK", "NV")), ("b", ("AK", "CA"))))
    found = ledger.analytics()
    assert found.sensors_by_state == (("AK", 2), ("CA", 1), ("NV", 1))
    assert found.total_sensors == 2


def test_a_snapshot_names_only_some_of_many(ledger: Ledger) -> None:
    guids = [f"{number:03}" for number in range(EXAMPLES + 5)]
    records = [reading(guid, state) for guid in guids for state in ("AK", "CA")]
    tally = tallied(records)
    ledger.add("q", 0, tally, 0)
    for moved in (tally.moved, ledger.moved()):
        assert moved.total == len(guids)
        assert [guid for guid, _ in moved.sensors] == guids[:EXAMPLES]
    assert len(ledger.offline(SECOND).sensors) == EXAMPLES


def test_who_was_not_seen_since_is_offline_where_it_was_last(ledger: Ledger) -> None:
    moving = [reading("a", "AK", seq=1), reading("b", "CA"), reading("c", "CA", seq=1)]
    ledger.add("q", 0, tallied(moving), 10 * SECOND)
    ledger.add("q", 1, tallied([reading("a", "NV", seq=2)]), 20 * SECOND)
    ledger.add("q", 2, tallied([reading("c", "CA", seq=1)]), 30 * SECOND)
    assert ledger.offline(10 * SECOND) == Offline()
    (b,) = ledger.offline(11 * SECOND).sensors
    assert b == Silent(
        guid="b", state="CA", last_seen="1970-01-01T00:00:10.000000Z", last_event=EVENT
    )
    found = ledger.offline(21 * SECOND)
    assert (found.total, found.by_state) == (2, (("CA", 1), ("NV", 1)))
    assert [silent.guid for silent in found.sensors] == ["a", "b"]
    assert ledger.last_seen() == 30 * SECOND


def test_a_time_in_which_the_job_did_not_run_is_no_silence() -> None:
    silence = Silence(after=10, started=1000, before=400)
    # Seen at 395, 5 before the job ended: offline after 5 more.
    assert [silence.limit(now) > 395 for now in (1000, 1005, 1006)] == [False, False, True]
    # Once the job has run for long enough, all that counts is since when nothing came.
    assert silence.limit(1010) == 1000
    assert Silence(after=10, started=1000, before=None).limit(1001) == 991
