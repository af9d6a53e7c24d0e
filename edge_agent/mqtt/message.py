"""What the publisher sends, where it comes from, and what became of it."""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol

_BYTES_OF_SEVEN_BITS: Final = (1 << 7, 1 << 14, 1 << 21)


class Message:
    """One payload on its way to the broker.

    Attributes:
        payload: the bytes of one PUBLISH.
        tag: what its source knows it by, such as the line numbers in a file.
        readings: how many readings the payload holds.
        topic: where it goes, retained; None for the publisher's own topic, not retained.
        mid: the packet identifier once it was sent, before that 0.
    """

    __slots__ = ("mid", "payload", "readings", "tag", "topic")

    def __init__(
        self, payload: bytes, tag: int = 0, readings: int = 1, topic: str | None = None
    ) -> None:
        self.payload = payload
        self.tag = tag
        self.readings = readings
        self.topic = topic
        self.mid = 0


def packet_size(topic: str, payload_bytes: int) -> int:
    """Bytes of the PUBLISH packet at QoS 1 (OASIS MQTT 5.0, section 3.3).

    Fixed header, topic with its length, packet identifier, no properties, payload.
    """
    rest = 2 + len(topic.encode()) + 2 + 1 + payload_bytes
    return 2 + sum(rest >= bound for bound in _BYTES_OF_SEVEN_BITS) + rest


class Fate(Enum):
    """What became of a message."""

    DELIVERED = "delivered"
    UNHEARD = "unheard"
    """The broker took it, but no subscription matches: nobody got it."""
    REFUSED = "refused"


class Source(Protocol):
    """Where messages come from; each one that was taken is settled exactly once."""

    def next(self) -> Message | None:
        """The next message, or None where there is none at the moment."""
        ...

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        """What became of a message; `reason` says why it was refused, else it is empty."""
        ...

    def too_large(self, message: Message, reason: str) -> None:
        """Settle a message that is larger than the broker takes.

        What it holds comes again in smaller messages; what cannot be parted was refused.
        """
        ...
