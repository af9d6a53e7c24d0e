"""Arrivals made ready for Kafka, which the network thread does while Kafka is busy."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.records import MAX_LINES, sift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.kafka.positions import Positions
    from bridge.mqtt.client import Arrivals
    from bridge.mqtt.framing import Frame
    from bridge.records import Letter, Record

_is_duplicate = attrgetter("duplicate")

# What an object takes beside the bytes of the payload (measured on CPython 3.11, rounded): tuples,
# bytes objects, and a Kafka client's own copy and bookkeeping while it is sent.
_MESSAGE_BYTES: Final = 400
_READING_BYTES: Final = 300
_LETTER_BYTES: Final = 1_200


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
        weight: about how much memory all this takes, bytes.
        unbounded: how much of it those take that came at QoS 0.
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
    weight: int
    unbounded: int

    @property
    def proof(self) -> bool:
        """Whether it is there to show that the client id is still ours (`Pump.prove`)."""
        return not self.messages


def prepare(
    arrivals: Arrivals,
    positions: Positions | None,
    admit: Callable[[list[Frame]], list[Frame]],
    max_lines: int = MAX_LINES,
) -> Load:
    """Tell new messages from redeliveries, and readings from dead letters.

    Args:
        arrivals: frames of one read.
        positions: note the new ones, so this must be called in arrival order; None with
            at-least-once.
        admit: the frames that are to be delivered, where there are no positions to tell.
        max_lines: of one message; see `bridge.records.sift`.
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
        unbounded = sum(_at_qos_0(frame) for frame in frames if not frame.mid)
    try:
        letters = sift(new, readings, max_lines)
    except BaseException:
        # They come again, and then they are not delivered yet.
        if positions is not None:
            positions.forget(marks)
        raise
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
        weight=_weight(len(frames), new, len(readings), len(letters)),
        unbounded=unbounded,
    )


def split(load: Load, weight: int, max_lines: int = MAX_LINES) -> tuple[Load, Load]:
    """A load as two, cut between messages: a message is never in two batches.

    Args:
        load: of two messages at least that are to be delivered.
        weight: what the first may have; of one message it has what that has.
        max_lines: as it was prepared with.
    """
    frames = load.frames
    count = used = readings = letters = 0
    # Every message gives a record at least.
    one_each = len(load.readings) == len(frames) and not load.letters
    for frame in frames[:-1]:
        accepted, rejected = (1, 0) if one_each else _records_in(frame, max_lines)
        more = _weight(1, [frame], accepted, rejected)
        if count and used + more > weight:
            break
        count += 1
        used += more
        readings += accepted
        letters += rejected
    marked = sum(1 for frame in frames[:count] if frame.mid)
    at = _behind(load.mids, [frame.mid for frame in frames[:count] if frame.mid])
    suppressed = at - marked
    duplicates = suppressed + sum(map(_is_duplicate, frames[:count]))
    unbounded = sum(_at_qos_0(frame) for frame in frames[:count] if not frame.mid)
    first = load._replace(
        messages=count + suppressed,
        mids=load.mids[:at],
        stale=0,
        duplicates=duplicates,
        suppressed=suppressed,
        frames=frames[:count],
        readings=load.readings[:readings],
        letters=load.letters[:letters],
        marks=load.marks[:marked],
        weight=used,
        unbounded=unbounded,
    )
    rest = load._replace(
        messages=load.messages - first.messages,
        mids=load.mids[at:],
        duplicates=load.duplicates - duplicates,
        suppressed=load.suppressed - suppressed,
        frames=frames[count:],
        readings=load.readings[readings:],
        letters=load.letters[letters:],
        marks=load.marks[marked:],
        weight=load.weight - used,
        unbounded=load.unbounded - unbounded,
    )
    return first, rest


def topics_of(records: Iterable[Record], loads: Iterable[Load]) -> dict[bytes, bytes]:
    """The MQTT topic that each reading came from, by its bytes."""
    # Looked up afterwards: refusals are rare, and a topic kept with every record is not free.
    wanted = {record.value for record in records}
    found: dict[bytes, bytes] = {}
    for frame in (frame for load in loads for frame in load.frames):
        # A payload is one record, also written over several lines, or a record on each line.
        lines = frame.payload.split(b"\n") if b"\n" in frame.payload else []
        for value in (frame.payload, *lines):
            if (record := value.removesuffix(b"\r")) in wanted or (record := value) in wanted:
                found.setdefault(record, frame.topic)
    return found


def _records_in(frame: Frame, max_lines: int) -> tuple[int, int]:
    """How many readings and letters."""
    readings: list[Record] = []
    letters = sift([frame], readings, max_lines)
    return len(readings), len(letters)


def _weight(messages: int, frames: list[Frame], readings: int, letters: int) -> int:
    return (
        sum([len(frame.payload) for frame in frames])
        + _MESSAGE_BYTES * messages
        + _READING_BYTES * readings
        + _LETTER_BYTES * letters
    )


def _at_qos_0(frame: Frame) -> int:
    lines = frame.payload.count(b"\n") + 1
    return len(frame.payload) + _MESSAGE_BYTES + _READING_BYTES * lines


def _behind(mids: list[int], admitted: list[int]) -> int:
    """Where in all packet identifiers those begin that come behind the admitted ones."""
    place = 0
    for mid in admitted:
        place = mids.index(mid, place) + 1
    return place
