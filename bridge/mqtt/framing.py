"""MQTT packets out of a byte stream: PUBLISH frames in bulk, everything else left to paho.

Section numbers are those of the MQTT 5.0 specification; 3.1.1 differs only in having no
properties.
"""

from __future__ import annotations

import struct
import sys
from array import array
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.errors import MalformedPacketError, PacketTooLargeError
from isotherm.contract.verdict import MAX_BYTES
from isotherm.mqtt.length import MOST_BYTES, decode_length

if TYPE_CHECKING:
    from collections.abc import Sequence

_PUBLISH: Final = 0x30
_QOS_2: Final = 2

# What most packets look like: at QoS 1 and neither sent before nor retained, with a remaining
# length of two bytes (128 to 16,383) and, in MQTT 5.0, no properties.
_USUAL: Final = 0x32

_PUBACK_HEAD: Final = 0x4002
_PUBREC_HEAD: Final = 0x5002
_PUBCOMP_HEAD: Final = 0x7002
_PUBREL: Final = 0x62

MAX_PACKET: Final = 268_435_455 + 5
"""The largest packet there is (section 1.5.5), with its fixed header."""
KEPT_BYTES: Final = 2 * MAX_BYTES
"""How much is kept of a payload that is not read whole: more than a record may have, so that no
verdict takes it for one."""


class Frame(NamedTuple):
    """One PUBLISH packet (section 3.3).

    Attributes:
        topic: UTF-8 bytes, as they came.
        payload: the application message, as it came.
        mid: the packet identifier, 1 to 65535; 0 at QoS 0, which needs no acknowledgement. QoS 1
            and 2 look alike, but for `Framer.exact`.
        duplicate: the DUP flag: the broker has sent this before, perhaps to a former connection.
        retained: the RETAIN flag: the broker had kept it for new subscribers.
    """

    topic: bytes
    payload: bytes
    mid: int
    duplicate: bool
    retained: bool


class Cut(bytes):
    """The beginning of a payload that was too large to be kept whole.

    Attributes:
        length: of the whole payload, bytes.
        digest: SHA-256 of the whole payload, hexadecimal.
        limit: bytes; the packet was larger.
    """

    length: int
    digest: str
    limit: int


class Framer:
    """Splits what a connection reads; one per connection.

    The work is linear in the bytes, however they are cut, and what is held is no more than one
    packet of `limit` bytes.

    Args:
        properties: whether PUBLISH packets carry properties (MQTT 5.0) or not (3.1.1).
        limit: of a packet, bytes, 16,387 at least; of a larger PUBLISH only the beginning is kept
            (`Cut`).
        strict: a larger PUBLISH raises instead, as soon as its length is known.
    """

    def __init__(self, *, properties: bool, limit: int = MAX_PACKET, strict: bool = False) -> None:
        self._properties = properties
        self.exact: set[int] = set()
        """The packet identifiers that came at QoS 2 and have no PUBREC yet (section 4.3.3). We ask
        for QoS 1, but a session may hold what was queued under an earlier subscription."""
        self.released: list[int] = []
        """Those of PUBREL packets, each of which is to be answered with a PUBCOMP."""
        self._limit = limit
        self._strict = strict
        self._rest: bytes | bytearray = b""
        self._missing = 0
        """How many bytes the packet in `_rest` needs at least."""
        self._oversize: _Oversize | None = None
        self._head = (1, _header(1, modern=properties))

    def feed(self, data: bytes) -> tuple[list[Frame], bytes]:
        """Take the next bytes of the stream.

        Returns:
            The PUBLISH frames that are now whole, in order, and all other whole packets as bytes.
            An unfinished packet waits for the next call.

        Raises:
            MalformedPacketError: the stream is not MQTT; drop this framer and the connection.
            PacketTooLargeError: the same, for a packet above the limit.
        """
        frames: list[Frame] = []
        if self._oversize is not None:
            data = data[self._pass_over(self._oversize, data, frames) :]
        if len(data) < self._missing:
            # To join the pieces each time would be quadratic.
            if not isinstance(self._rest, bytearray):
                self._rest = bytearray(self._rest)
            self._rest += data
            self._missing -= len(data)
            return frames, b""
        buffer = bytes(self._rest + data) if self._rest else data
        return frames, self._split(buffer, frames)

    def _split(self, buffer: bytes, frames: list[Frame]) -> bytes:
        """Append the frames in a buffer; all other packets in it."""
        others: list[bytes] = []
        start = self._usual(buffer, frames)
        end = len(buffer)
        self._missing = 0
        while end - start >= 2:  # noqa: PLR2004 the shortest packet
            first = buffer[start]
            # Section 1.5.5: one byte says lengths up to 127.
            length = buffer[start + 1]
            body = start + 2
            if length & 0x80:
                header = _length(buffer, start + 1)
                if header is None:
                    break
                length, body = header
            stop = body + length
            if stop - start > self._limit:
                oversize = self._refuse(buffer, start, body, stop)
                passed = self._pass_over(oversize, buffer[start:stop], frames)
                start = self._usual(buffer, frames, start + passed)
                continue
            if stop > end:
                self._missing = stop - end
                break
            if first & 0xF0 == _PUBLISH:
                frames.append(_publish(buffer, first, body, stop, properties=self._properties))
                if first & 0x06 == _QOS_2 << 1:
                    self.exact.add(frames[-1].mid)
            elif first == _PUBREL and length >= 2:  # noqa: PLR2004 an identifier
                self.released.append((buffer[body] << 8) | buffer[body + 1])
            else:
                others.append(buffer[start:stop])
            start = self._usual(buffer, frames, stop)
        self._rest = buffer[start:]
        return b"".join(others)

    def _refuse(self, buffer: bytes, start: int, body: int, stop: int) -> _Oversize:
        """A packet above the limit: to be passed over, if it is one that the broker sends again."""
        size = stop - start
        publish = buffer[start] & 0xF0 == _PUBLISH
        if self._strict or not publish:
            raise PacketTooLargeError(size, self._limit)
        return _Oversize(size, body - start, limit=self._limit, properties=self._properties)

    def _pass_over(self, oversize: _Oversize, data: bytes, frames: list[Frame]) -> int:
        """Give it what is its own; how many bytes that were."""
        own = min(len(data), oversize.left)
        frame = oversize.feed(data[:own])
        self._oversize = oversize if frame is None else None
        if frame is not None:
            frames.append(frame)
            if oversize.exact:
                self.exact.add(frame.mid)
        return own

    def _usual(self, buffer: bytes, frames: list[Frame], start: int = 0) -> int:
        """Take packets as long as they are usual ones, each in a few steps.

        Returns:
            Where the first one begins that is not, or is not whole.
        """
        append = frames.append
        new = tuple.__new__
        size, head = self._head
        head_bytes, unpack = head.size, head.unpack_from
        end = len(buffer)
        while end - start >= head_bytes:
            first, low, high, topic_size, topic, mid, properties = unpack(buffer, start)
            if first != _USUAL or low < 0x80 or high > 0x7F:  # noqa: PLR2004 the bit of 1.5.5
                return start
            if topic_size != size:
                if not topic_size:
                    return start
                size, head = self._head = topic_size, _header(topic_size, modern=self._properties)
                head_bytes, unpack = head.size, head.unpack_from
                continue
            stop = start + 3 + (low & 0x7F | high << 7)
            payload_at = start + head_bytes
            if stop > end or payload_at > stop or properties or not mid:
                return start
            # As Frame(...), at a third of the cost.
            append(new(Frame, (topic, buffer[payload_at:stop], mid, False, False)))
            start = stop
        return start


class _Oversize:
    """A PUBLISH packet above the limit, of whose payload the beginning and a hash are kept.

    Args:
        size: of the packet, bytes.
        body: where its variable header begins.
        limit: for the `Cut`.
        properties: as for `Framer`.
    """

    def __init__(self, size: int, body: int, *, limit: int, properties: bool) -> None:
        self.left = size
        self.exact = False
        """Whether it came at QoS 2; known with the frame."""
        self._size, self._body = size, body
        self._limit = limit
        self._properties = properties
        self._at = 0
        self._head = bytearray()
        """All that came, until it is known where the payload begins; then the payload's head."""
        self._frame: Frame | None = None
        self._payload_at = 0
        self._hash = sha256()

    def feed(self, data: bytes) -> Frame | None:
        """Take the next bytes of the packet, and no others; the frame with the last of them."""
        self.left -= len(data)
        self._at += len(data)
        if self._frame is not None:
            self._take(data)
        else:
            self._head += data
            if self._begin():
                head, self._head = bytes(self._head), bytearray()
                self._take(head)
        if self.left or self._frame is None:
            return None
        payload = bytes(self._head)
        length = self._size - self._payload_at
        if length > len(payload):
            payload = Cut(payload)
            payload.length, payload.digest = length, self._hash.hexdigest()
            payload.limit = self._limit
        return self._frame._replace(payload=payload)

    def _begin(self) -> bool:
        """Find out where the payload begins; whether enough is there for it."""
        head = self._head
        if len(head) < self._body + 2:
            return False
        packet_id = 2 if head[0] & 0x06 else 0
        after = self._body + 2 + int.from_bytes(head[self._body : self._body + 2], "big")
        after += packet_id
        if len(head) < min(after + MOST_BYTES * self._properties, self._size):
            return False
        whole = bytes(head)
        self.exact = whole[0] & 0x06 == _QOS_2 << 1
        self._frame = _publish(whole, head[0], self._body, self._size, properties=self._properties)
        header = _length(whole, after) if self._properties else (0, after)
        assert header is not None
        self._payload_at = sum(header)
        return True

    def _take(self, data: bytes) -> None:
        """Keep and count what belongs to the payload of the last bytes that came."""
        before = max(0, self._payload_at - (self._at - len(data)))
        payload = data[before:]
        self._hash.update(payload)
        self._head += payload[: KEPT_BYTES - len(self._head)]


@lru_cache
def _header(topic_size: int, *, modern: bool) -> struct.Struct:
    """What comes before the payload of a usual packet.

    That is the first byte, the remaining length in two bytes, the topic with its size, the packet
    identifier, and how many bytes of properties there are.
    """
    # 3.1.1 has no properties; an empty field of one byte would be read as part of the payload.
    return struct.Struct(f">BBBH{topic_size}sH{'B' if modern else '0s'}")


def pubacks(mids: list[int]) -> bytes:
    """PUBACK packets (section 3.4, reason code 0 left out as 3.4.2.1 allows), one after another."""
    return _answers([_PUBACK_HEAD], mids)


def pubcomps(mids: list[int]) -> bytes:
    """PUBCOMP packets (section 3.7), one after another."""
    return _answers([_PUBCOMP_HEAD], mids)


def receipts(mids: Sequence[int], exact: set[int]) -> bytes:
    """PUBACK packets, or PUBREC packets (section 3.5) for those of `exact`, which loses them."""
    made = b"".join(
        _answers([_PUBREC_HEAD if mid in exact else _PUBACK_HEAD], [mid]) for mid in mids
    )
    exact.difference_update(mids)
    return made


def _answers(head: list[int], mids: list[int]) -> bytes:
    words = array("H", [*head, 0]) * len(mids)
    words[1::2] = array("H", mids)
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


def _length(buffer: bytes, position: int) -> tuple[int, int] | None:
    try:
        return decode_length(buffer, position)
    except ValueError as error:
        raise MalformedPacketError(str(error)) from None


def _publish(buffer: bytes, first: int, body: int, stop: int, *, properties: bool) -> Frame:
    qos = (first >> 1) & 0x03
    if qos > _QOS_2:
        raise MalformedPacketError(f"PUBLISH at QoS {qos}, which there is not")
    topic_at = body + 2
    after_topic = topic_at + ((buffer[body] << 8) | buffer[body + 1]) if topic_at <= stop else stop
    payload_at = after_topic + (2 if qos else 0)
    if payload_at + properties > stop:
        raise MalformedPacketError("a PUBLISH without a whole topic and packet identifier")
    if after_topic == topic_at:
        # MQTT-3.1.2-27: none may be sent to a client that announces no Topic Alias Maximum.
        raise MalformedPacketError("a PUBLISH without a topic; topic aliases are not allowed here")
    mid = (buffer[after_topic] << 8) | buffer[after_topic + 1] if qos else 0
    if qos and not mid:
        raise MalformedPacketError("a PUBLISH above QoS 0 with packet identifier 0")
    if properties:
        size = buffer[payload_at]
        payload_at += 1
        if size:
            payload_at = _skip_properties(buffer, payload_at - 1, stop)
    return Frame(
        buffer[topic_at:after_topic],
        buffer[payload_at:stop],
        mid,
        bool(first & 0x08),
        bool(first & 0x01),
    )


def _skip_properties(buffer: bytes, position: int, stop: int) -> int:
    header = _length(buffer, position)
    if header is None or sum(header) > stop:
        raise MalformedPacketError("PUBLISH properties that run past the packet")
    return sum(header)
