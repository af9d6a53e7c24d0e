"""The two MQTT v5 packets that travel by the thousand, written and read in bulk.

OASIS MQTT 5.0, sections 3.3 and 3.4. What comes once per connection is in `edge_agent.packets`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from isotherm.errors import IsothermError

MAX_PAYLOAD: Final = 268_435_455 - 65_535 - 5
"""What one packet holds beside the longest topic, bytes."""
ASIDE: Final = 65_535
"""The packet identifier of what is no PUBLISH; those have the others."""
NO_SUBSCRIBERS: Final = 0x10
TOO_LARGE: Final = 0x95
QUOTA_EXCEEDED: Final = 0x97
FAILURE: Final = 0x80
"""Codes from here on say that the broker did not take the message."""

_PUBLISH_QOS0: Final = 0x30
_PUBLISH_QOS1: Final = 0x32
_DUP: Final = 0x08
_RETAIN: Final = 0x01
_PUBACK: Final = 0x40
_NO_PROPERTIES: Final = b"\0"
_SHORTEST_PUBACK: Final = 4
_MID_BYTES: Final = 2
_LENGTH_BYTES: Final = 4


class BrokenFrameError(IsothermError, ValueError):
    """What the broker sent is no MQTT."""


class Puback(NamedTuple):
    """The broker's answer to one PUBLISH.

    Attributes:
        mid: the packet identifier.
        code: the reason code; 0 is success.
    """

    mid: int
    code: int


class Framer:
    """Writes the PUBLISH packets of one topic at QoS 1.

    Args:
        topic: without wildcards.
        retain: the broker shall keep the last message for later subscribers.
    """

    def __init__(self, topic: str, *, retain: bool = False) -> None:
        self._topic = coded_text(topic)
        self._first = _PUBLISH_QOS1 | _RETAIN if retain else _PUBLISH_QOS1
        self._overhead = len(self._topic) + 2 + len(_NO_PROPERTIES)

    def frame(self, mid: int, payload: bytes, *, again: bool = False, retain: bool = True) -> bytes:
        """One packet.

        Args:
            mid: the packet identifier.
            payload: what it carries.
            again: an earlier connection may have delivered it.
            retain: whether the broker keeps retained messages at all.
        """
        first = self._first | _DUP if again else self._first
        if not retain:
            first &= ~_RETAIN
        length = variable(self._overhead + len(payload))
        return b"".join(
            (bytes((first,)), length, self._topic, mid.to_bytes(2), _NO_PROPERTIES, payload)
        )

    def frame_qos_0(self, payload: bytes, *, retain: bool = True) -> bytes:
        """One packet for a broker that takes no other; `retain` as in `frame`."""
        first = _PUBLISH_QOS0 | (self._first & _RETAIN if retain else 0)
        length = variable(self._overhead - _MID_BYTES + len(payload))
        return b"".join((bytes((first,)), length, self._topic, _NO_PROPERTIES, payload))

    def size(self, payload: bytes) -> int:
        """Bytes of the packet that would carry `payload`."""
        rest = self._overhead + len(payload)
        return 1 + len(variable(rest)) + rest


def variable(length: int) -> bytes:
    """A variable byte integer (section 1.5.5)."""
    coded = bytearray()
    while length >= FAILURE:
        coded.append(length & 0x7F | FAILURE)
        length >>= 7
    coded.append(length)
    return bytes(coded)


def coded_text(text: str) -> bytes:
    """A UTF-8 string with its length before it (section 1.5.4)."""
    coded = text.encode()
    return len(coded).to_bytes(2) + coded


def pubacks(data: bytes, at: int = 0) -> tuple[list[Puback], int]:
    """The complete PUBACK packets from a place of `data` on, and the place behind them.

    Raises:
        BrokenFrameError: what the broker sent is no MQTT.
    """
    found = []
    end = len(data)
    while at + _SHORTEST_PUBACK <= end and data[at] == _PUBACK:
        # A reason string may make the packet long; nearly all have two or three bytes.
        length = data[at + 1]
        head = (2, length) if length < FAILURE else _head(data, at)
        if head is None or at + sum(head) > end:
            break
        start, length = at + head[0], head[1]
        if length < _MID_BYTES:
            raise BrokenFrameError("the broker sent a PUBACK without a packet identifier")
        code = data[start + _MID_BYTES] if length > _MID_BYTES else 0
        found.append(Puback(data[start] << 8 | data[start + 1], code))
        at = start + length
    return found, at


def frame_length(data: bytes, at: int = 0) -> int | None:
    """Bytes of the whole packet at a place of `data`; None where more of its head is needed.

    Raises:
        BrokenFrameError: what the broker sent is no MQTT.
    """
    head = _head(data, at)
    return None if head is None else sum(head)


def _head(data: bytes, at: int) -> tuple[int, int] | None:
    """Bytes of the fixed header, and of what follows it."""
    remaining = 0
    for place in range(_LENGTH_BYTES):
        if at + 1 + place >= len(data):
            return None
        byte = data[at + 1 + place]
        remaining |= (byte & 0x7F) << 7 * place
        if byte < FAILURE:
            return 2 + place, remaining
    raise BrokenFrameError("the broker sent a packet length that is no MQTT")
