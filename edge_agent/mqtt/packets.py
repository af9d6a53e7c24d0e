"""The MQTT v5 packets that come once per connection: written and read (OASIS MQTT 5.0, section 3).

What travels by the thousand, PUBLISH and PUBACK, is in `edge_agent.mqtt.publish_codec`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.mqtt.publish_codec import ASIDE, BrokenFrameError, coded_text, variable

if TYPE_CHECKING:
    from edge_agent.mqtt.broker.will import Will

PINGREQ: Final = b"\xc0\0"

CONNACK: Final = 0x20
PUBLISH: Final = 0x30
SUBACK: Final = 0x90
UNSUBACK: Final = 0xB0
PINGRESP: Final = 0xD0
DISCONNECT: Final = 0xE0

WILL_FOLLOWS: Final = 0x04
"""DISCONNECT: the broker shall publish the will all the same."""

_CONNECT: Final = 0x10
_SUBSCRIBE: Final = 0x82
_UNSUBSCRIBE: Final = 0xA2
_QOS_0: Final = b"\0"
_NO_PROPERTIES: Final = b"\0"
_VERSION: Final = b"\0\x04MQTT\x05"
_CLEAN_START: Final = 0x02
_WILL: Final = 0x04
_WILL_QOS_1: Final = 0x08
_WILL_RETAIN: Final = 0x20
_PASSWORD: Final = 0x40
_USERNAME: Final = 0x80
_SESSION_EXPIRY: Final = 0x11
_RECEIVE_MAXIMUM: Final = 0x21
_MAXIMUM_PACKET: Final = 0x27
_SERVER_KEEPALIVE: Final = 0x13
_MAXIMUM_QOS: Final = 0x24
_RETAIN_AVAILABLE: Final = 0x25
_RETAIN: Final = 0x01
_QOS: Final = 0x06
_ANY_NUMBER: Final = 65_535

# Section 2.2.2.2: which properties are numbers of how many bytes; the others say their length.
_BYTES: Final = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
_TEXTS: Final = {
    **dict.fromkeys((0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F), 1),
    0x26: 2,
}
_VARIABLE: Final = 0x0B


class Welcome(NamedTuple):
    """A CONNACK.

    Attributes:
        session: whether the broker remembers an earlier connection.
        code: the reason code; below 0x80 it lets us in.
        receive_maximum: how many messages it takes at once.
        maximum_packet: bytes of the largest packet that it takes; None for any.
        keepalive: seconds, where it wants another one than ours.
        maximum_qos: the highest QoS that it takes.
        retain: whether it keeps retained messages.
    """

    session: bool
    code: int
    receive_maximum: int = _ANY_NUMBER
    maximum_packet: int | None = None
    keepalive: int | None = None
    maximum_qos: int = 2
    retain: bool = True


class Arrival(NamedTuple):
    """A PUBLISH at QoS 0."""

    topic: str
    payload: bytes
    retain: bool


def connect(
    client_id: str,
    *,
    clean_start: bool,
    keepalive: int,
    session_expiry: int,
    maximum_packet: int,
    username: str | None = None,
    password: str | None = None,
    will: Will | None = None,
) -> bytes:
    """A CONNECT.

    Args:
        client_id: names the session.
        clean_start: forget an earlier session of the name.
        keepalive: seconds.
        session_expiry: seconds for which the session outlives the connection.
        maximum_packet: bytes of the largest packet that we take.
        username: None where there is none.
        password: None where there is none.
        will: what the broker shall publish should we vanish; None for nothing.
    """
    flags = _CLEAN_START if clean_start else 0
    properties = bytes((_SESSION_EXPIRY,)) + session_expiry.to_bytes(4)
    properties += bytes((_MAXIMUM_PACKET,)) + maximum_packet.to_bytes(4)
    payload = coded_text(client_id)
    if will is not None:
        flags |= _WILL
        flags |= _WILL_QOS_1 if will.qos else 0
        flags |= _WILL_RETAIN if will.retain else 0
        payload += b"\0" + coded_text(will.topic) + len(will.payload).to_bytes(2) + will.payload
    if username is not None:
        flags |= _USERNAME
        payload += coded_text(username)
    if password is not None:
        flags |= _PASSWORD
        payload += coded_text(password)
    head = _VERSION + bytes((flags,)) + keepalive.to_bytes(2)
    return _packet(_CONNECT, head + variable(len(properties)) + properties + payload)


def subscribe(topic: str) -> bytes:
    """A SUBSCRIBE for one topic at QoS 0."""
    return _packet(_SUBSCRIBE, ASIDE.to_bytes(2) + _NO_PROPERTIES + coded_text(topic) + _QOS_0)


def unsubscribe(topic: str) -> bytes:
    """An UNSUBSCRIBE for one topic."""
    return _packet(_UNSUBSCRIBE, ASIDE.to_bytes(2) + _NO_PROPERTIES + coded_text(topic))


def disconnect(*, will: bool) -> bytes:
    """A DISCONNECT that ends the session too; `will`: but has the will published."""
    properties = bytes((_SESSION_EXPIRY,)) + bytes(4)
    code = WILL_FOLLOWS if will else 0
    return _packet(DISCONNECT, bytes((code, len(properties))) + properties)


def body(packet: bytes) -> bytes:
    """What follows the fixed header of a whole packet."""
    at = 1
    while packet[at] & 0x80:
        at += 1
    return packet[at + 1 :]


def welcome(packet: bytes) -> Welcome:
    """A CONNACK; one of an older MQTT has no properties.

    Raises:
        BrokenFrameError: it is none.
    """
    data = body(packet)
    if len(data) < 2:  # noqa: PLR2004 flags and code
        raise BrokenFrameError("the broker sent half a CONNACK")
    numbers = _numbers(data, 2)
    return Welcome(
        session=bool(data[0] & 1),
        code=data[1],
        receive_maximum=numbers.get(_RECEIVE_MAXIMUM, _ANY_NUMBER),
        maximum_packet=numbers.get(_MAXIMUM_PACKET),
        keepalive=numbers.get(_SERVER_KEEPALIVE),
        maximum_qos=numbers.get(_MAXIMUM_QOS, 2),
        retain=bool(numbers.get(_RETAIN_AVAILABLE, 1)),
    )


def suback_code(packet: bytes) -> int:
    """The reason code of a SUBACK for one topic: the last byte."""
    return packet[-1]


def disconnect_code(packet: bytes) -> int:
    """The reason code of a DISCONNECT; absent is 0."""
    data = body(packet)
    return data[0] if data else 0


def arrival(packet: bytes) -> Arrival:
    """A PUBLISH at QoS 0.

    Raises:
        BrokenFrameError: it is none.
    """
    data = body(packet)
    end = 2 + int.from_bytes(data[:2])
    if packet[0] & _QOS or len(data) <= end:
        raise BrokenFrameError("the broker sent a message that was not asked for")
    length, at = _length(data, end)
    topic = data[2:end].decode("utf-8", "replace")
    return Arrival(topic, data[at + length :], retain=bool(packet[0] & _RETAIN))


def _packet(first: int, content: bytes) -> bytes:
    return bytes((first,)) + variable(len(content)) + content


def _numbers(data: bytes, at: int) -> dict[int, int]:
    """The properties that are numbers of a fixed size, by identifier."""
    if at >= len(data):
        return {}
    length, at = _length(data, at)
    end = at + length
    if end > len(data):
        raise BrokenFrameError("the broker sent properties that end too early")
    found = {}
    while at < end:
        name, at = data[at], at + 1
        if name in _BYTES:
            found[name] = int.from_bytes(data[at : at + _BYTES[name]])
            at += _BYTES[name]
        elif name == _VARIABLE:
            _, at = _length(data, at)
        elif name in _TEXTS:
            for _ in range(_TEXTS[name]):
                at += 2 + int.from_bytes(data[at : at + 2])
        else:
            raise BrokenFrameError(f"the broker sent a property that is unknown: 0x{name:02x}")
    return found


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer, and where it ends."""
    value = 0
    for shift in range(0, 28, 7):
        if at >= len(data):
            break
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 the bit that says that more follows
            return value, at
    raise BrokenFrameError("the broker sent a length that is no MQTT")
