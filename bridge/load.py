"""Arrivals made ready for Kafka, which the network thread does while Kafka is busy."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from bridge.records import sift

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.client import Arrivals
    from bridge.frames import Frame
    from bridge.positions import Positions
    from bridge.records import Letter, Record

_is_duplicate = attrgetter("duplicate")


class Load(NamedTuple):
    """What the frames of one read come to.

    Attributes:
        connection: that they came over.
        frames: all of them, in arrival order.
        duplicates: how many of them the broker marked as sent before.
        suppressed: how many of them are delivered already, and not again.
        readings: in those that are to be delivered, in order.
        letters: the dead letters in them, each with its MQTT topic.
        marks: the positions of those at QoS 1, in order; empty with at-least-once.
        size: bytes of payload.
    """

    connection: int
    frames: list[Frame]
    duplicates: int
    suppressed: int
    readings: list[Record]
    letters: list[tuple[Letter, bytes]]
    marks: list[bytes]
    size: int

    @property
    def proof(self) -> bool:
        """Whether it is there to show that the client id is still ours (`Pump.prove`)."""
        return not self.frames


def prepare(arrivals: Arrivals, positions: Positions | None) -> Load:
    """Tell new messages from redeliveries, and readings from dead letters.

    Args:
        arrivals: frames of one read.
        positions: note the new ones, so this must be called in arrival order; None delivers
            redeliveries again (at-least-once).
    """
    connection, frames = arrivals
    marks: list[bytes] = []
    readings: list[Record] = []
    duplicates = sum(map(_is_duplicate, frames))
    new = frames
    if positions is not None:
        new = positions.admit(connection, frames, marks, duplicates=duplicates)
    letters = sift(new, readings)
    size = sum([len(frame.payload) for frame in frames])
    suppressed = len(frames) - len(new)
    return Load(connection, frames, duplicates, suppressed, readings, letters, marks, size)


def topic_of(record: Record, loads: Iterable[Load]) -> bytes:
    """The MQTT topic that a reading came from."""
    # Looked up afterwards: refusals are rare, and a topic kept with every record is not free.
    return next(
        frame.topic for load in loads for frame in load.frames if record.value in frame.payload
    )
