"""Letters are written once each, whatever happens between; the box is the twin of Kafka's."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from aggregator.dead_letters import writer as module
from aggregator.dead_letters.letter import (
    LEAST_PART_BYTES,
    PART_BYTES,
    Flood,
    Mark,
    Source,
    dead_letter,
)
from aggregator.dead_letters.progress import mark_record, parse_mark
from aggregator.dead_letters.writer import DeadLetters, MemoryBox
from aggregator.errors import DeadLetterError, LetterTooLargeError, StoppingError
from aggregator.stream.workers.partial_sums import SCHEMA, partials
from aggregator.stream.workers.rejects import Rejects
from isotherm.contract.reasons import Reason, Rejection
from isotherm.log import Log
from tests.aggregator.support.records import reading, source

if TYPE_CHECKING:
    from collections.abc import Iterator

Records = list[tuple[int, bytes | None, bytes | None]]

MIXED: Records = [
    (offset, b"key", reading() if offset % 3 == 0 else b"bad %d" % offset) for offset in range(20)
]
BAD = [offset for offset in range(20) if offset % 3]


class Topic:
    """A readings topic that can be read again."""

    def __init__(self, partitions: dict[int, Records]) -> None:
        self.partitions = partitions
        self.read: list[Flood] = []

    def __call__(self, flood: Flood) -> Iterator[Source]:
        self.read.append(flood)
        for offset, key, value in self.partitions[flood.partition]:
            if flood.offset <= offset <= flood.last:
                yield Source(flood.partition, offset, key, value)

    def rows(self, carried_bytes: int = 1 << 20) -> Any:
        """What the workers make of it, a task for each partition."""
        found = []
        for partition, records in self.partitions.items():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    "aggregator.stream.workers.partial_sums.Rejects", lambda: Rejects(carried_bytes)
                )
                found += list(partials([source(partition, records)]))
        return pa.Table.from_batches(found, SCHEMA)


def writer(box: MemoryBox, topic: Topic, stop: threading.Event | None = None) -> DeadLetters:
    return DeadLetters(
        box,
        topic,
        topic="readings",
        clock=lambda: 1_479_302_799_447_974_000,
        stop=stop or threading.Event(),
        log=Log("test"),
    )


def places(box: MemoryBox) -> list[tuple[int, int]]:
    """Partition and offset of each letter."""
    found = []
    for record in box.records:
        headers = dict(record.headers)
        if headers["part"] == b"1":
            found.append((int(headers["partition"]), int(headers["offset"])))
    return found


def test_a_letter_has_the_bytes_the_key_and_where_and_why() -> None:
    box, topic = MemoryBox(), Topic({4: [(7, b"k", b"\xff"), (8, None, None)]})
    counting = writer(box, topic).write("q", 0, topic.rows())
    first, tombstone = box.records
    assert (first.key, first.value) == (b"k", b"\xff")
    assert dict(first.headers) == {
        "reason": b"not_utf8",
        "detail": b"byte 0: invalid start byte",
        "topic": b"readings",
        "partition": b"4",
        "offset": b"7",
        "time": b"2016-11-16T13:26:39.447974Z",
        "part": b"1",
        "parts": b"1",
    }
    assert (tombstone.key, tombstone.value) == (None, None)
    assert "offset" not in counting.column_names
    assert sum(counting["readings"].to_pylist()) == 2


def test_a_large_one_goes_in_parts_of_one_key() -> None:
    large = b"x" * 2_000_000
    box, topic = MemoryBox(), Topic({0: [(1, None, large)]})
    writer(box, topic).write("q", 0, topic.rows())
    assert b"".join(record.value or b"" for record in box.records) == large
    assert [dict(record.headers)["part"] for record in box.records] == [b"1", b"2", b"3"]
    assert len({record.key for record in box.records}) == 1
    assert box.records[0].key is not None


KEYS = (None, b"", b"\xff\xfe", b"k" * 5_000, b"k" * 130_000, b"k" * 1_900_000)
VALUES = (None, b"", b"x", b"\x00" * 900_000, b"x" * 2_000_000)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("part_bytes", (LEAST_PART_BYTES, PART_BYTES))
def test_a_letter_always_fits_and_has_all_bytes(
    key: bytes | None, value: bytes | None, part_bytes: int
) -> None:
    if part_bytes < PART_BYTES:
        key, value = (None if text is None else text[:60_000] for text in (key, value))
    why = Rejection(Reason.NOT_JSON, "d" * 150)
    parts = dead_letter(Source(7, 8, key, value), why, "t" * 249, 0, part_bytes)
    for number, part in enumerate(parts, 1):
        headers = dict(part.headers)
        assert (int(headers["part"]), int(headers["parts"])) == (number, len(parts))
        assert len(part.key or b"") + len(part.value or b"") <= part_bytes
        assert sum(len(name) + len(text) for name, text in part.headers) < 1_000
    assert len({part.key for part in parts}) == 1
    joined = b"".join(part.value or b"" for part in parts)
    headers = dict(parts[0].headers)
    if (length := int(headers.get("key_bytes", b"0"))) > 0:
        assert (joined[:length], joined[length:]) == (key, value or b"")
        assert (headers.get("value") == b"null") == (value is None)
    else:
        assert joined == (value or b"")
        assert parts[0].key == key or len(parts) > 1
        assert (parts[0].value is None) == (value is None)


def test_a_topic_that_takes_smaller_records_gets_smaller_parts() -> None:
    large, other = b"x" * 300_000, b"y" * 50_000
    box, topic = MemoryBox(), Topic({0: [(1, b"k", large), (2, None, other)]})
    box.largest = 100_000
    letters = writer(box, topic)
    letters.write("q", 0, topic.rows())
    assert b"".join(record.value or b"" for record in box.records) == large + other
    transactions = box.transactions
    letters.write("q", 1, Topic({0: [(3, b"k", large)]}).rows())
    assert box.transactions == transactions + 1
    assert (letters.written, letters.why) == (3, "")


def test_a_topic_that_takes_nothing_is_a_sentence_and_not_a_loop() -> None:
    box, topic = MemoryBox(), Topic({0: [(1, b"k", b"bad")]})
    box.largest = 10
    letters = writer(box, topic)
    with pytest.raises(LetterTooLargeError):
        letters.write("q", 0, topic.rows())
    assert (letters.why, letters.failures) == ("too large", 1)
    box.largest = None
    letters.write("q", 0, topic.rows())
    assert (letters.why, letters.written) == ("", 1)


@pytest.mark.parametrize("crash", ("refuse", "unsure"))
def test_what_was_set_aside_is_written_once_though_it_stands_before_the_others(crash: str) -> None:
    box, topic = MemoryBox(), Topic({0: MIXED})
    aside = [Source(0, offset, b"key", reading()) for offset in (0, 3, 18)]
    first = writer(box, topic)
    first.write("q", 4, topic.rows())
    setattr(box, crash, 1)
    with pytest.raises(DeadLetterError):
        first.set_aside("q", 4, lambda: aside, "it does not fit")
    again = writer(box, topic)
    again.write("q", 4, topic.rows())
    again.set_aside("q", 4, lambda: aside, "it does not fit")
    again.write("q", 4, topic.rows())
    assert sorted(places(box)) == sorted([(0, 0), (0, 3), (0, 18)] + [(0, at) for at in BAD])
    told = [dict(record.headers) for record in box.records if record.value == reading()]
    assert {(at["reason"], at["detail"]) for at in told} == {(b"uncountable", b"it does not fit")}
    # The next batch has its own.
    again.set_aside("q", 5, lambda: [Source(0, 2, b"key", reading())], "it does not fit")
    assert places(box)[-1] == (0, 2)


MARK = Mark(7, {0: 12}, {1: 5})


@pytest.mark.parametrize(
    "value",
    (
        None,
        b"",
        b"[" * 100_000,
        b"\xff",
        b"7",
        b"{}",
        b'{"batch_id": "7", "offsets": {}}',
        b'{"batch_id": 1e400, "offsets": {}}',
        b'{"batch_id": 1' + b"0" * 5_000 + b', "offsets": {}}',
        b'{"batch_id": 7, "offsets": {"0": -1}}',
        b'{"batch_id": 7, "offsets": {"0": 9223372036854775808}}',
        b'{"batch_id": 7, "offsets": {"x": 1}}',
        b'{"batch_id": 7, "offsets": {"-1": 1}}',
        b'{"batch_id": 7, "offsets": {"1_0": 1}}',
        b'{"batch_id": 7, "offsets": {"2147483648": 1}}',
        b'{"batch_id": 7, "offsets": {}, "more": NaN}',
        b'{"batch_id": 7, "offsets": {}, "more": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"batch_id": 7, "offsets": 7}',
    ),
)
def test_a_mark_that_is_not_ours_is_none(value: bytes | None) -> None:
    assert parse_mark(value) is None


def test_a_mark_comes_back_also_one_of_the_version_before() -> None:
    assert parse_mark(mark_record("q", MARK)[0]) == MARK
    assert parse_mark(b'{"batch_id": 7, "offsets": {"0": 12}}') == Mark(7, {0: 12})


def test_without_rejects_kafka_is_not_touched() -> None:
    topic = Topic({0: [(1, b"k", reading())]})
    counting = writer(MemoryBox(), topic).write("q", 0, topic.rows())
    assert counting.num_rows == 1


@pytest.mark.parametrize("carried", (0, 150, 1 << 20))
def test_a_flood_is_read_again_and_letters_keep_the_order(carried: int) -> None:
    box, topic = MemoryBox(), Topic({1: MIXED, 0: MIXED})
    writer(box, topic).write("q", 0, topic.rows(carried))
    assert places(box) == [(0, offset) for offset in BAD] + [(1, offset) for offset in BAD]
    assert bool(topic.read) == (carried < 1000)
    assert box.transactions == 1


@pytest.mark.parametrize("carried", (0, 150, 1 << 20))
@pytest.mark.parametrize("crash", ("before", "after"))
@pytest.mark.parametrize("nth", range(4))
def test_each_is_written_once_over_a_crash_in_any_transaction(
    monkeypatch: pytest.MonkeyPatch, carried: int, crash: str, nth: int
) -> None:
    monkeypatch.setattr(module, "MOST_RECORDS", 5)
    topic = Topic({0: MIXED, 1: MIXED})

    class Crashing(MemoryBox):
        def put(self, records: Any, mark: Any) -> None:
            if self.transactions == nth:
                setattr(self, {"before": "refuse", "after": "unsure"}[crash], 1)
            super().put(records, mark)

    box = Crashing()
    first = writer(box, topic)
    with pytest.raises(DeadLetterError):
        first.write("q", 0, topic.rows(carried))
    assert first.why.startswith("told to")
    # The next life knows nothing but what stands in Kafka; the same life no more than that.
    again = writer(box, topic) if carried else first
    box.__class__ = MemoryBox  # type: ignore[assignment]
    again.write("q", 0, topic.rows(carried))
    assert sorted(places(box)) == [(part, offset) for part in (0, 1) for offset in BAD]
    assert again.why == ""


def test_a_batch_that_is_replayed_whole_writes_nothing() -> None:
    box, topic = MemoryBox(), Topic({0: MIXED})
    for _ in range(2):
        writer(box, topic).write("q", 0, topic.rows())
    assert box.transactions == 1


def test_another_query_has_a_mark_of_its_own() -> None:
    box, topic = MemoryBox(), Topic({0: MIXED})
    for query in ("q", "r"):
        writer(box, topic).write(query, 0, topic.rows())
    assert len(box.records) == 2 * len(BAD)


def test_the_end_breaks_a_flood_off_between_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RECORDS", 5)
    box, topic, stop = MemoryBox(), Topic({0: MIXED}), threading.Event()
    stop.set()
    with pytest.raises(StoppingError):
        writer(box, topic, stop).write("q", 0, topic.rows())
    assert box.transactions == 1
    writer(box, topic).write("q", 0, topic.rows())
    assert places(box) == [(0, offset) for offset in BAD]


def test_a_flood_is_never_held_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RECORDS", 10)
    held: list[int] = []

    class Watched(MemoryBox):
        def put(self, records: Any, mark: Any) -> None:
            held.append(len(records))
            super().put(records, mark)

    box = Watched()
    topic = Topic({0: [(offset, None, b"bad") for offset in range(1000)]})
    writer(box, topic).write("q", 0, topic.rows(0))
    assert max(held) == 10
    assert len(box.records) == 1000


def test_a_later_batch_owes_nothing_to_the_mark_of_an_earlier_one() -> None:
    # Its offsets begin at 0 again where a topic was made anew and the person goes on with it.
    box, topic = MemoryBox(), Topic({0: MIXED})
    for batch_id in (3, 4):
        writer(box, topic).write("q", batch_id, topic.rows())
    assert len(box.records) == 2 * len(BAD)
    for batch_id in (2, 4):
        writer(box, topic).write("q", batch_id, topic.rows())
    assert len(box.records) == 2 * len(BAD)
