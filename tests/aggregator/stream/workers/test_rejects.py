from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aggregator.stream.workers import rejects
from aggregator.stream.workers.partial_sums import SCHEMA, partials
from tests.aggregator.support.records import reading, source

if TYPE_CHECKING:
    import pytest

GOOD = reading()


def lettered(*batches: Any) -> list[tuple[Any, ...]]:
    rows = pa.Table.from_batches(partials(batches), SCHEMA).to_pylist()
    return [tuple(row[name] for name in rejects.NAMES) for row in rows if row["offset"] is not None]


def test_a_rejected_record_travels_with_its_place_key_and_bytes() -> None:
    records = [(7, b"k1", b"bad"), (8, b"k2", GOOD), (9, None, None), (11, b"k3", b"bad")]
    assert lettered(source(3, records)) == [
        ("not_json", 3, 7, None, b"k1", b"bad"),
        ("not_json", 3, 9, None, None, None),
        ("not_json", 3, 11, None, b"k3", b"bad"),
    ]


def test_a_row_with_a_place_counts_nothing() -> None:
    rows = pa.Table.from_batches(partials([source(0, [(1, b"", b"bad")])]), SCHEMA).to_pylist()
    assert sum(row["readings"] or 0 for row in rows) == 1


def test_of_a_flood_only_the_range_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = rejects.Rejects(carried_bytes=2 * (3 + 50))
    monkeypatch.setattr("aggregator.stream.workers.partial_sums.Rejects", lambda: flood)
    batches = [
        source(1, [(offset, None, b"bad" if offset % 2 else GOOD) for offset in range(10)]),
        source(1, [(20, None, b"bad"), (21, None, GOOD)]),
        source(2, [(5, None, b"bad")]),
    ]
    assert lettered(*batches) == [
        ("not_json", 1, 1, None, None, b"bad"),
        ("not_json", 1, 3, None, None, b"bad"),
        ("not_json", 1, 5, 20, None, None),
        ("not_json", 2, 5, 5, None, None),
    ]


def test_one_record_larger_than_the_room_does_not_travel() -> None:
    large = b"x" * (rejects.CARRIED_BYTES + 1)
    assert lettered(source(0, [(4, None, large), (5, None, b"bad")])) == [
        ("too_large", 0, 4, 5, None, None)
    ]


def test_where_no_letters_are_wanted_nothing_travels() -> None:
    plain = pa.RecordBatch.from_pydict({"value": pa.array([b"bad"], pa.binary())})
    assert lettered(plain) == []
