"""The position topic: what bridges write of themselves with each batch, and how they find it again.

Every client id has one partition there, by its name. The records are found again from the end of
the partition backwards. Where somebody gave the topic another number of partitions, those of
before are in another one: each record says how many there were when it was written.
"""

from __future__ import annotations

import math
import time
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from zlib import crc32

from bridge.kafka.errors import SinkUnavailableError
from bridge.kafka.positions import MOST, POSITION_BYTES
from bridge.kafka.session_notes import HEADER
from bridge.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARTITIONS: Final = 16
"""Of the position topic: bridges should seldom read through each other's records."""

LOOK_S: Final = 30.0
"""For how long a client id without records in its own partition is looked for in the others."""

_LIFE: Final = "life"
_PARTITIONS: Final = "partitions"
_MOST_DIGITS: Final = 9
_FIRST_LOOK: Final = 2_000
_FURTHER: Final = 8
_MOST_LOOK: Final = 128_000


class Last(NamedTuple):
    """What is in the position topic for one client id.

    Attributes:
        life: of the process that wrote last; empty where there was none.
        positions: of the last `MOST` messages or all there are, oldest first.
        session: the header of the last record with one (`bridge.kafka.session_notes`).
        at: when the last record was written, seconds since 1970.
        partitions: that the topic had then; 0 where the record does not say, as of versions before.
    """

    life: bytes
    positions: bytes
    session: bytes = b""
    at: float = 0.0
    partitions: int = 0

    @property
    def empty(self) -> bool:
        """Whether there was no record at all."""
        return not (self.life or self.positions)

    def is_of_another(self, life: bytes) -> bool:
        """Whether another process wrote after the one of this life did, which it had claimed."""
        return self.life not in (b"", life)


def position_record(
    client_id: str, life: bytes, positions: bytes, session: bytes, partitions: int
) -> Record:
    """The record that goes into the position topic with a batch, in the same transaction.

    Args:
        client_id: whose messages they are; the record's key.
        life: names this process, so that one that was fenced can tell by whom.
        positions: of the batch, in arrival order; empty to claim the client id.
        session: what is known of the session (`bridge.kafka.session_notes`).
        partitions: of the topic.
    """
    headers = ((_LIFE, life), (HEADER, session), (_PARTITIONS, b"%d" % partitions))
    return Record(client_id.encode(), positions, headers)


def in_order(found: list[tuple[int, Last]]) -> Last:
    """What was found of one client id in several partitions, by the time of the last record each.

    Args:
        found: milliseconds since 1970 of the last record, and all that was found, of each.
    """
    found.sort(key=itemgetter(0))
    lives = [last.life for _time, last in found if last.life]
    positions = b"".join(last.positions for _time, last in found)
    sessions = [last.session for _time, last in found if last.session]
    return Last(
        lives[-1] if lives else b"",
        positions[-MOST * POSITION_BYTES :],
        sessions[-1] if sessions else b"",
        max((last.at for _time, last in found), default=0.0),
        found[-1][1].partitions if found else 0,
    )


def newest(found: list[tuple[int, Last]], own: int) -> tuple[Last, bool]:
    """What was found of one client id in all partitions, and whether the last of it is elsewhere.

    Partitions may have been added several times, and the client id may come back to one that has
    older records of it than another.

    Args:
        found: as for `in_order`, by partition.
        own: the partition where the client id's records are today.
    """
    at, last = found[own]
    elsewhere = any(
        not other.empty and (last.empty or time > at)
        for index, (time, other) in enumerate(found)
        if index != own
    )
    # Of two at the same time the own one is the later.
    return in_order([*found[:own], *found[own + 1 :], found[own]]), elsewhere


def position_partition(client_id: str, partitions: int) -> int:
    """The partition of a client id's position records.

    Raises:
        SinkUnavailableError: there are none: Kafka just makes the topic, or deletes it.
    """
    if not partitions:
        raise SinkUnavailableError("the position topic has no partitions yet")
    return crc32(client_id.encode()) % partitions


class Take(Protocol):
    """Takes one record of the position topic."""

    def __call__(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes | None],
        milliseconds: int,
        /,
    ) -> None:
        """Take it; the time is since 1970, and negative where it has none."""


class Reader(Protocol):
    """One client's way to read the position topic, as far as it was committed."""

    def ends(self, partition: int) -> tuple[int, int]:
        """The first offset of a partition, and the one behind its last."""

    def read(self, partition: int, start: int, end: int, take: Take) -> None:
        """Give what is between two offsets, in order."""


class OwnRecords:
    """Finds the position records of one client id.

    Args:
        client_id: whose.
        clock: seconds, monotonic.
    """

    def __init__(self, client_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client_id = client_id
        self._key = client_id.encode()
        self._clock = clock
        self._in_place = 0
        """With how many partitions the newest was found in its own."""
        self.partitions = 0
        self.partition = -1
        """Of this client id's records; known after `placed`."""
        self.elsewhere = False
        """Whether what `newest` gave is in other partitions: it is to be written again in its
        own."""
        self.incomplete = False
        """Whether `LOOK_S` was not enough for all partitions."""

    def placed(self, partitions: int) -> None:
        """Say how many partitions the topic has.

        Raises:
            SinkUnavailableError: none yet.
        """
        self.partitions = partitions
        self.partition = position_partition(self._client_id, partitions)

    def newest(self, reader: Reader) -> Last:
        """What was written last under this client id, in whatever partition.

        Others than its own are looked through until the newest was found in its own: seldom more
        than once in a life.
        """
        self.elsewhere = self.incomplete = False
        own = self._last_in(reader, self.partition, math.inf)
        if self._is_in_place(own[1]):
            return own[1]
        # Where the topic has the number that the bridges make it with, this client id is most
        # likely new, and a topic of many busy bridges takes long to read.
        likely_new = own[1].empty and self.partitions == PARTITIONS
        until = self._clock() + LOOK_S if likely_new else math.inf
        each = [
            own if number == self.partition else self._last_in(reader, number, until)
            for number in range(self.partitions)
        ]
        found, self.elsewhere = newest(each, self.partition)
        if not self.elsewhere:
            self._in_place = self.partitions
        return found

    def _is_in_place(self, own: Last) -> bool:
        """Whether the newest record is this one of its own partition."""
        if self._in_place == self.partitions:
            return True
        if own.empty:
            return False
        return (own.partitions or PARTITIONS) == self.partitions

    def _last_in(self, reader: Reader, partition: int, until: float) -> tuple[int, Last]:
        """What is in one partition, and when its last record was written; see `in_order`."""
        low, end = reader.ends(partition)
        milliseconds, found = 0, Last(b"", b"")
        look = _FIRST_LOOK
        while low < end and len(found.positions) < MOST * POSITION_BYTES:
            if self._clock() > until:
                self.incomplete = True
                break
            start = max(low, end - look)
            collected = _Collected(self._key)
            reader.read(partition, start, end, collected.take)
            milliseconds = milliseconds or collected.milliseconds
            found = collected.before(found)
            end = start
            look = min(_MOST_LOOK, look * _FURTHER)
        return milliseconds, found


class _Collected:
    """What the records between two offsets say under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._life = self._session = b""
        self._partitions = 0
        self._positions: list[bytes] = []
        self.milliseconds = 0

    def take(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes | None],
        milliseconds: int,
        /,
    ) -> None:
        """See `Take`."""
        if key != self._key:
            return
        self._life = headers.get(_LIFE) or b""
        self._session = headers.get(HEADER) or self._session
        self._partitions = _count(headers.get(_PARTITIONS) or b"")
        self._positions.append(value or b"")
        self.milliseconds = max(0, milliseconds)

    def before(self, later: Last) -> Last:
        """The same with what was found behind it."""
        positions = b"".join([*self._positions, later.positions])[-MOST * POSITION_BYTES :]
        if later.at or not later.empty:
            return later._replace(positions=positions, session=later.session or self._session)
        at = self.milliseconds / 1000
        return Last(self._life, positions, self._session, at, self._partitions)


def _count(text: bytes) -> int:
    """A number as `position_record` writes it; 0 for anything else."""
    return int(text) if text.isdigit() and len(text) <= _MOST_DIGITS else 0
