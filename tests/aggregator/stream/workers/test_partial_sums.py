from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.stream.workers import partial_sums as module
from aggregator.stream.workers import rejects
from aggregator.stream.workers.partial_sums import (
    COLUMNS,
    GAPS,
    SCHEMA,
    WITH_MOMENTS,
    Punctuality,
    partials,
)
from isotherm.contract import Clock
from tests.aggregator.support.records import (
    BAD,
    EPOCH,
    SECOND,
    batch,
    gap,
    reading,
    reasons,
    summed,
)


def rows(*records: bytes | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = summed(records).to_pylist()
    return found


def test_readings_of_one_sensor_become_one_row() -> None:
    found = rows(
        reading(temperature=60.0, seq=8, event_time=2_000_000_000),
        reading(temperature=61.5, seq=7, event_time=1_000_000_000, clock=Clock.UNSYNCED),
        reading(temperature=62.0, seq=9, event_time=3_000_000_000),
    )
    row = {name: found[0][name] for name, _, _ in COLUMNS if name not in rejects.NAMES[1:]}
    assert len(found) == 1
    assert row == {
        "reason": None,
        "state": "CA",
        "guid": "g1",
        "epoch": "00000000000000a1",
        "readings": 3,
        "total": 183.5,
        "minimum": 60.0,
        "maximum": 62.0,
        "min_seq": 7,
        "max_seq": 9,
        "first_event": "1970-01-01T00:00:01.000000",
        "last_event": "1970-01-01T00:00:03.000000",
        "unsynced": 1,
        "late": 3,
        "future": 0,
        "runs": 3,
        "seqs": [8, 7, 9],
        "temperatures": [60.0, 61.5, 62.0],
        "lost_epoch": None,
        "lost_first": None,
        "lost_last": None,
        "lost": None,
    }


def test_seqs_that_follow_each_other_are_one_run() -> None:
    found = rows(
        *(reading("up", seq=seq) for seq in (4, 5, 6)),
        *(reading("hole", seq=seq) for seq in (4, 6)),
        *(reading("double", seq=seq) for seq in (4, 5, 5)),
        *(reading("down", seq=seq) for seq in (5, 4)),
        *(reading("once", seq=seq) for seq in (9,)),
        reading("none"),
    )
    in_one_run = {row["guid"]: row["runs"] == 1 for row in found if row["seqs"] is not None}
    assert in_one_run == {"up": True, "hole": False, "double": False, "down": False, "once": True}


def test_late_and_future_are_told_by_the_clock_of_the_trigger() -> None:
    now = 1_000 * SECOND
    records = [reading(event_time=event * SECOND) for event in (699, 700, 1000, 1060, 1061, 5000)]
    (found,) = partials([batch(records)], Punctuality(late=300, future=60), clock=lambda: now)
    (row,) = found.to_pylist()
    assert (row["readings"], row["late"], row["future"]) == (6, 1, 2)


def test_a_reading_without_origin_has_neither_epoch_nor_seq() -> None:
    (row,) = rows(reading(), reading())
    assert (row["epoch"], row["min_seq"], row["max_seq"], row["readings"]) == (None, None, None, 2)


def test_when_each_reading_was_made_is_told_only_where_it_is_asked_for() -> None:
    records = [
        reading("a", seq=1, temperature=1.0, event_time=1_500_000_001),
        reading("a", seq=2, temperature=2.0, event_time=-1),
        reading("none", temperature=3.0, event_time=2_000_000_000),
        reading("none", temperature=4.0, event_time=3_000_000_000),
        # Judged one by one: Arrow leaves it to the contract.
        reading("odd \u00e9", seq=1, temperature=5.0, event_time=4_000_000_000),
        reading("odd \u00e9", temperature=6.0, event_time=5_000_000_000),
        reading("odd \u00e9", temperature=7.0, event_time=6_000_000_000),
        gap(first=1, last=1, count=1),
        b"bad",
    ]
    assert "moments" not in summed(records).column_names
    found = summed(records, schema=WITH_MOMENTS).to_pylist()
    told = [(row["temperatures"], row["moments"]) for row in found if row["reason"] is None]
    assert told == [
        ([1.0, 2.0], [1_500_000, -1]),
        ([3.0, 4.0], [2_000_000, 3_000_000]),
        ([5.0], [4_000_000]),
        ([6.0, 7.0], [5_000_000, 6_000_000]),
    ]
    assert [row["moments"] for row in found if row["reason"] is not None] == [None, None]


def test_states_guids_and_epochs_stay_apart() -> None:
    found = rows(
        reading("a", "CA", seq=1),
        reading("a", "NV", seq=1),
        reading("b", "CA", seq=1),
        reading("a", "CA", seq=1, epoch="00000000000000b2"),
        reading("a", "CA"),
    )
    assert len(found) == 5


def test_event_times_of_different_length_are_ordered_by_time() -> None:
    late = reading().replace(b"2016-11-16T13:26:39.447974Z", b"2016-11-16T13:26:39.4Z")
    early = reading().replace(b"2016-11-16T13:26:39.447974Z", b"2016-11-16T13:26:39Z")
    (row,) = rows(late, early)
    assert row["first_event"] == "2016-11-16T13:26:39"
    assert row["last_event"] == "2016-11-16T13:26:39.4"


def test_a_tombstone_is_rejected_as_not_json() -> None:
    (row,) = rows(None, None)
    assert (row["reason"], row["readings"], row["guid"]) == ("not_json", 2, None)


def test_bad_records_are_counted_by_the_reason_of_the_contract() -> None:
    found = {row["reason"]: row["readings"] for row in rows(*BAD)}
    assert found == reasons(BAD)
    assert len(found) >= 6


def test_any_span_may_be_late_or_future() -> None:
    ages = 1e13
    (found,) = partials([batch([reading()])], Punctuality(late=ages, future=ages))
    (row,) = found.to_pylist()
    assert (row["late"], row["future"]) == (0, 0)


def test_a_gap_is_neither_a_reading_nor_rejected_and_has_a_seq_of_its_own() -> None:
    found = rows(
        gap(first=1, last=9, count=5, seq=11), reading(seq=10), gap("g2", first=3, last=3, count=1)
    )
    assert [(row["reason"], row["guid"], row["readings"], row["seqs"]) for row in found] == [
        (None, "g1", 1, [10]),
        (GAPS, "g1", None, [11]),
        (GAPS, "g2", None, [99]),
    ]
    told = [(row["lost_epoch"], row["lost_first"], row["lost_last"], row["lost"]) for row in found]
    assert told == [(None,) * 4, (EPOCH, 1, 9, 5), (EPOCH, 3, 3, 1)]


def test_no_record_gives_no_row() -> None:
    assert list(partials([])) == []


def test_every_batch_has_the_columns_that_spark_expects() -> None:
    found = list(partials([batch([reading(), gap(first=1, last=1, count=1), None])]))
    assert [part.schema for part in found] == [SCHEMA] * 3


def test_many_readings_are_handed_on_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READINGS", 2)
    batches = [batch([reading(guid), b"bad"]) for guid in ("a", "b", "c", "a")]
    found = list(partials(batches))
    assert [part.num_rows for part in found] == [1, 1, 1, 1, 1]
    assert sum(row["readings"] for part in found for row in part.to_pylist()) == 8


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_can_stop_it(records: list[bytes]) -> None:
    assert {row["reason"]: row["readings"] for row in rows(*records)} == reasons(records)
