"""Dead letters: which records of a trigger get one, and what stands in it. Pure functions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow.compute as pc

from aggregator.stream.workers.rejects import COLUMNS
from isotherm.contract.event_time import format_event_time
from isotherm.contract.fast import judge_row
from isotherm.contract.reasons import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Mapping

PART_BYTES: Final = 900_000
"""Key and value of a record: a letter above this is written in parts, as the bridge does it, so
that Kafka and its client take it with their default limits (1,000,000 bytes, headers included)."""

LEAST_PART_BYTES: Final = PART_BYTES >> 8
"""Below this the headers are most of a record."""

KEY_BYTES: Final = 4_096
"""A longer key is no guid. Its bytes go in front of the value's, so that all parts fit."""

Headers = tuple[tuple[str, bytes], ...]


class Source(NamedTuple):
    """A record of the readings topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Flood(NamedTuple):
    """All rejected records of a partition from one offset to another, still in the topic alone."""

    partition: int
    offset: int
    last: int


class Mark(NamedTuple):
    """How far a query's letters have come.

    Attributes:
        batch_id: of the last letters.
        offsets: by partition of the readings topic, the offset behind the last letter.
        aside: the same for those of this batch that could not be counted, whose letters come when
            all others are written.
    """

    batch_id: int
    offsets: Mapping[int, int]
    aside: Mapping[int, int] = {}

    def done(self, batch_id: int) -> Mapping[int, int]:
        """By partition, the offset before which a batch has its letters.

        A batch after that of the mark has none, whatever its offsets are: a topic that was made
        anew begins at 0 again.
        """
        return self.offsets if batch_id <= self.batch_id else {}

    def done_aside(self, batch_id: int) -> Mapping[int, int]:
        """The same of what a batch could not count."""
        return self.aside if batch_id <= self.batch_id else {}


NO_MARK: Final = Mark(-1, {})


class Record(NamedTuple):
    """One record on its way into the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def split(rows: Any) -> tuple[Any, list[Source | Flood]]:
    """Take the workers' rows apart.

    Args:
        rows: Arrow table with the columns of `partial_sums.COLUMNS`.

    Returns:
        The rows that count something, without the columns for letters; and what gets letters, in
        the order of partitions and offsets.
    """
    names = [name for name, _, _ in COLUMNS]
    lettered = pc.is_valid(rows["offset"])
    found = sorted(
        rows.filter(lettered).select(names).to_pylist(),
        key=lambda row: (row["partition"], row["offset"]),
    )
    pending: list[Source | Flood] = [
        Source(row["partition"], row["offset"], row["raw_key"], row["raw"])
        if row["last_offset"] is None
        else Flood(row["partition"], row["offset"], row["last_offset"])
        for row in found
    ]
    return rows.filter(pc.invert(lettered)).drop_columns(names), pending


def remaining(item: Source | Flood, done: Mapping[int, int]) -> Source | Flood | None:
    """What of it has no letter yet.

    Args:
        item: one or many records.
        done: by partition, the offset before which all have theirs.
    """
    begin = done.get(item.partition, 0)
    if isinstance(item, Flood):
        return item._replace(offset=max(item.offset, begin)) if item.last >= begin else None
    return item if item.offset >= begin else None


def rejection(value: bytes | None) -> Rejection | None:
    """The verdict on a record, the workers' own; None for what is fine."""
    if value is None:
        return Rejection(Reason.NOT_JSON, "no value (a tombstone)")
    try:
        verdict = judge_row(value)
    except Exception as error:  # noqa: BLE001 as in `partials`: one record must not hold up others
        return Rejection(Reason.UNCOUNTABLE, f"judging it raised {type(error).__name__}")
    return verdict if isinstance(verdict, Rejection) else None


def dead_letter(
    source: Source, why: Rejection, topic: str, time: int, part_bytes: int = PART_BYTES
) -> list[Record]:
    """The records of the dead-letter topic for one letter: one, or its parts where it is large.

    Headers are the bridge's, with the place in the readings topic instead of the MQTT topic. The
    key is the record's own; parts without a key have the hash of their bytes, so that they too
    stand in one partition in order. A key above `KEY_BYTES` stands in front of the value, with its
    length in the header ``key_bytes``, and the letter's own key is its hash.

    Args:
        source: what was rejected.
        why: the verdict.
        topic: where it stands.
        time: when it was rejected, nanoseconds since 1970.
        part_bytes: of key and value in one record.
    """
    key, value = source.key, source.value or b""
    more: Headers = ()
    if key is not None and len(key) > min(KEY_BYTES, part_bytes // 2):
        more = (("key_bytes", str(len(key)).encode()),)
        if source.value is None:
            more += (("value", b"null"),)
        key, value = hashlib.sha256(key).hexdigest().encode(), key + value
    if key is None and len(value) > part_bytes:
        key = hashlib.sha256(value).hexdigest().encode()
    room = part_bytes - len(key or b"")
    chunks = [value[start : start + room] for start in range(0, len(value), room)]
    headers = (
        ("reason", why.reason.encode()),
        ("detail", why.detail.encode()),
        ("topic", topic.encode()),
        ("partition", str(source.partition).encode()),
        ("offset", str(source.offset).encode()),
        ("time", format_event_time(time).encode()),
        *more,
        ("parts", str(max(len(chunks), 1)).encode()),
    )
    return [
        Record(key, chunk, (*headers, ("part", str(number).encode())))
        for number, chunk in enumerate(chunks or [source.value], 1)
    ]
