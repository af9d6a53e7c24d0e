"""What the publisher sends, where it comes from, and what became of it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge_agent.mqtt.publish_codec import Framer


class Message:
    """One payload on its way to the broker.

    Attributes:
        payload: the bytes of one PUBLISH.
        tag: what its source knows it by, such as the line numbers in a file.
        readings: how many readings the payload holds.
        framer: writes its packet, where that is not for the publisher's own topic.
        mid: the packet identifier once it was sent, before that 0.
    """

    __slots__ = ("framer", "mid", "payload", "readings", "tag")

    def __init__(
        self, payload: bytes, tag: int = 0, readings: int = 1, framer: Framer | None = None
    ) -> None:
        self.payload = payload
        self.tag = tag
        self.readings = readings
        self.framer = framer
        self.mid = 0


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
