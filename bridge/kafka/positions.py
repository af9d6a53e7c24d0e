"""Which MQTT messages stand in Kafka already: how a redelivery is told from a new message.

A broker that did not get a PUBACK delivers the message again on the next connection, with the same
packet identifier (MQTT-4.4.0-1) and the DUP flag (MQTT-3.3.1-1). So (packet identifier, topic,
payload) names one delivery among the last 65,535: no broker can have more than that in flight, as
packet identifiers are 16 bits.
"""

from __future__ import annotations

from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from bridge.kafka.errors import SinkUnavailableError
from bridge.kafka.session_notes import HEADER
from bridge.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.mqtt.framing import Frame

POSITION_BYTES: Final = 8
_HASH_BYTES: Final = POSITION_BYTES - 2
MOST: Final = 65_535
"""The largest window of unacknowledged messages that MQTT allows, and so the most that a broker can
deliver again."""

EARLIER_LIFE: Final = 0


def position(topic: bytes, payload: bytes, mid: int) -> bytes:
    """The 8 bytes that stand for one message: its packet identifier and 48 bits of a hash."""
    # Cut off here: to ask blake2b for less takes longer than all of its work.
    return mid.to_bytes(2, "big") + blake2b(topic + b"\0" + payload).digest()[:_HASH_BYTES]


PARTITIONS: Final = 16
"""Of the position topic: bridges should seldom read through each other's records."""


class Positions:
    """The positions of at least the last `MOST` messages at QoS 1, and the connection of each."""

    def __init__(self) -> None:
        # Two generations: dropping a whole one is cheaper than dropping the oldest one by one.
        self._newer: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    def load(self, positions: bytes) -> None:
        """Begin with what an earlier life of this bridge delivered, oldest first."""
        for start in range(0, len(positions), POSITION_BYTES):
            self._add([positions[start : start + POSITION_BYTES]], EARLIER_LIFE)

    def admit(
        self, connection: int, frames: list[Frame], marks: list[bytes], *, duplicates: int
    ) -> list[Frame]:
        """The frames that are to be delivered: all but those that earlier connections brought.

        Args:
            connection: that they came over.
            frames: in arrival order.
            marks: gets the positions of those at QoS 1, in order.
            duplicates: how many frames have the DUP flag.
        """
        found = [
            position(topic, payload, mid) if mid else b"" for topic, payload, mid, _d, _r in frames
        ]
        # The flag alone proves nothing: the first delivery may never have come here.
        if duplicates:
            admitted = [
                (frame, mark)
                for frame, mark in zip(frames, found, strict=True)
                if not (mark and frame.duplicate and self.delivered(mark, connection))
            ]
            frames = [frame for frame, _mark in admitted]
            found = [mark for _frame, mark in admitted]
        new = list(filter(None, found))
        if new:
            # Messages at QoS 0 come before `load` is done, in another thread.
            self._add(new, connection)
            marks += new
        return frames

    def forget(self, positions: Iterable[bytes]) -> None:
        """Take back what `admit` noted of messages that are not delivered after all."""
        for each in positions:
            self._newer.pop(each, None)
            self._older.pop(each, None)

    def delivered(self, position: bytes, connection: int) -> bool:
        """Whether a message that came over `connection` was delivered over an earlier one."""
        known = self._newer.get(position)
        if known is None:
            known = self._older.get(position, connection)
        return known < connection

    def contents(self, *, earlier: bool = False) -> set[bytes]:
        """The hashes of topic and payload of what was delivered, as far as it is known.

        Args:
            earlier: in earlier lives, too.
        """
        return {
            position[2:]
            for generation in (self._older, self._newer)
            for position, connection in generation.items()
            if earlier or connection != EARLIER_LIFE
        }

    def _add(self, positions: list[bytes], connection: int) -> None:
        self._newer.update(dict.fromkeys(positions, connection))
        if len(self._newer) >= MOST:
            self._older, self._newer = self._newer, {}


class Last(NamedTuple):
    """What stands in the position topic for one client id.

    Attributes:
        life: of the process that wrote last; empty where there was none.
        positions: of the last `MOST` messages or all there are, oldest first.
        session: the header of the last record with one (`bridge.kafka.session_notes`).
        at: when the last record was written, seconds since 1970.
    """

    life: bytes
    positions: bytes
    session: bytes = b""
    at: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether there was no record at all."""
        return not (self.life or self.positions)

    def is_of_another(self, life: bytes) -> bool:
        """Whether another process wrote after the one of this life did, which it had claimed."""
        return self.life not in (b"", life)


def position_record(client_id: str, life: bytes, positions: bytes, session: bytes) -> Record:
    """The record that goes into the position topic with a batch, in the same transaction.

    Args:
        client_id: whose messages they are; the record's key.
        life: names this process, so that one that was fenced can tell by whom.
        positions: of the batch, in arrival order; empty to claim the client id.
        session: what is known of the session (`bridge.kafka.session_notes`).
    """
    return Record(client_id.encode(), positions, (("life", life), (HEADER, session)))


def moved(partitions: int) -> bool:
    """Whether a client id's records may stand in another partition than today's.

    The bridges make the topic with `PARTITIONS`. With another number somebody made it, or added
    some, and what was written before stands where `position_partition` does not point any more.
    """
    return partitions != PARTITIONS


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
    )


def newest(found: list[tuple[int, Last]], own: int) -> tuple[Last, bool]:
    """What was found of one client id in all partitions, and whether the last of it is elsewhere.

    Partitions may have been added several times, and the client id may come back to one that has
    older records of it than another.

    Args:
        found: as for `in_order`, by partition.
        own: the partition where the client id's records stand today.
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
