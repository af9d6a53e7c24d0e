"""Arrivals made ready for Kafka, which the network thread does while Kafka is busy."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from bridge.records import sift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.client import Arrivals
    from bridge.frames import Frame
    from bridge.positions import Positions
    from bridge.records import Letter, Record

_is_duplicate = attrgetter("duplicate")


class Load(NamedTuple):
    """What the frames of one read come to.

    Attributes:
        connection: that they came over.
        messages: how many frames there were.
        mids: of those at QoS 1, in arrival order; to be acknowledged over that connection.
        stale: how many more were at QoS 1, of connections that have ended.
        duplicates: how many of them the broker marked as sent before.
        suppressed: how many of them are delivered already, and not again.
        frames: the others, in arrival order.
        readings: in those, in order.
        letters: the dead letters in them, each with its MQTT topic.
        marks: the positions of those at QoS 1, in order; empty with at-least-once.
        size: bytes of payload in them.
        unbounded: bytes of payload in those of them at QoS 0.
    """

    connection: int
    messages: int
    mids: list[int]
    stale: int
    duplicates: int
    suppressed: int
    frames: list[Frame]
    readings: list[Record]
    letters: list[tuple[Letter, bytes]]
    marks: list[bytes]
    size: int
    unbounded: int

    @property
    def proof(self) -> bool:
        """Whether it is there to show that the client id is still ours (`Pump.prove`)."""
        return not self.messages


def prepare(
    arrivals: Arrivals,
    positions: Positions | None,
    admit: Callable[[list[Frame]], list[Frame]],
) -> Load:
    """Tell new messages from redeliveries, and readings from dead letters.

    Args:
        arrivals: frames of one read.
        positions: note the new ones, so this must be called in arrival order; None with
            at-least-once.
        admit: the frames that are to be delivered, where there are no positions to tell.
    """
    connection, frames = arrivals
    marks: list[bytes] = []
    readings: list[Record] = []
    mids = [frame.mid for frame in frames]
    duplicates = sum(map(_is_duplicate, frames))
    new = frames
    if positions is not None:
        new = positions.admit(connection, frames, marks, duplicates=duplicates)
    elif duplicates:
        new = admit(frames)
    unbounded = 0
    if 0 in mids:
        mids = list(filter(None, mids))
        unbounded = sum(len(frame.payload) for frame in frames if not frame.mid)
    letters = sift(new, readings)
    return Load(
        connection,
        messages=len(frames),
        mids=mids,
        stale=0,
        duplicates=duplicates,
        suppressed=len(frames) - len(new),
        frames=new,
        readings=readings,
        letters=letters,
        marks=marks,
        size=sum([len(frame.payload) for frame in new]),
        unbounded=unbounded,
    )


def topic_of(record: Record, loads: Iterable[Load]) -> bytes:
    """The MQTT topic that a reading came from."""
    # Looked up afterwards: refusals are rare, and a topic kept with every record is not free.
    return next(
        frame.topic for load in loads for frame in load.frames if record.value in frame.payload
    )
