"""MQTT packets out of a byte stream: PUBLISH frames in bulk, everything else left to paho.

Section numbers are those of the MQTT 5.0 specification; 3.1.1 differs only in having no
properties.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from bridge.errors import MalformedPacketError

_PUBLISH: Final = 0x30
_MAX_LENGTH_BYTES: Final = 4
_QOS_2: Final = 2


class Frame(NamedTuple):
    """One PUBLISH packet (section 3.3).

    Attributes:
        topic: UTF-8 bytes, as they came.
        payload: the application message, as it came.
        mid: the packet identifier, 1 to 65535; 0 at QoS 0, which needs no acknowledgement.
        duplicate: the DUP flag: the broker has sent this before, perhaps to a former connection.
        retained: the RETAIN flag: the broker had kept it for new subscribers.
    """

    topic: bytes
    payload: bytes
    mid: int
    duplicate: bool
    retained: bool


class Framer:
    """Splits what a connection reads; one per connection.

    Args:
        properties: whether PUBLISH packets carry properties (MQTT 5.0) or not (3.1.1).
    """

    def __init__(self, *, properties: bool) -> None:
        self._properties = properties
        self._rest = b""

    def feed(self, data: bytes) -> tuple[list[Frame], bytes]:
        """Take the next bytes of the stream.

        Returns:
            The PUBLISH frames that are now whole, in order, and all other whole packets as bytes.
            An unfinished packet waits for the next call.

        Raises:
            MalformedPacketError: the stream is not MQTT; drop this framer and the connection.
        """
        buffer = self._rest + data if self._rest else data
        frames: list[Frame] = []
        others: list[bytes] = []
        append = frames.append
        properties = self._properties
        end = len(buffer)
        start = 0
        while end - start >= 2:  # noqa: PLR2004 the shortest packet
            first = buffer[start]
            # Section 1.5.5: one byte says lengths up to 127, so most packets end here.
            length = buffer[start + 1]
            body = start + 2
            if length & 0x80:
                header = _length(buffer, start + 1)
                if header is None:
                    break
                length, body = header
            stop = body + length
            if stop > end:
                break
            if first & 0xF0 != _PUBLISH:
                others.append(buffer[start:stop])
            else:
                append(_publish(buffer, first, body, stop, properties=properties))
            start = stop
        self._rest = buffer[start:]
        return frames, b"".join(others)


def pubacks(mids: list[int]) -> bytes:
    """PUBACK packets (section 3.4, reason code 0 left out as 3.4.2.1 allows), one after another."""
    return b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids])


def _length(buffer: bytes, position: int) -> tuple[int, int] | None:
    """A variable byte integer (section 1.5.5) and where it ends; None while it is unfinished."""
    value = 0
    for index in range(_MAX_LENGTH_BYTES):
        if position + index >= len(buffer):
            return None
        byte = buffer[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, position + index + 1
    raise MalformedPacketError("a variable byte integer of more than four bytes")


def _publish(buffer: bytes, first: int, body: int, stop: int, *, properties: bool) -> Frame:
    qos = (first >> 1) & 0x03
    if qos >= _QOS_2:
        raise MalformedPacketError(f"PUBLISH at QoS {qos}, but at most 1 was subscribed")
    topic_at = body + 2
    after_topic = topic_at + ((buffer[body] << 8) | buffer[body + 1]) if topic_at <= stop else stop
    payload_at = after_topic + 2 * qos
    if payload_at + properties > stop:
        raise MalformedPacketError("a PUBLISH without a whole topic and packet identifier")
    if after_topic == topic_at:
        # MQTT-3.1.2-27: none may be sent to a client that announces no Topic Alias Maximum.
        raise MalformedPacketError("a PUBLISH without a topic; topic aliases are not allowed here")
    mid = (buffer[after_topic] << 8) | buffer[after_topic + 1] if qos else 0
    if qos and not mid:
        raise MalformedPacketError("a PUBLISH at QoS 1 with packet identifier 0")
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
