"""Which MQTT messages are in Kafka already: tells a redelivery from a new message.

A broker that did not get a PUBACK delivers the message again on the next connection, with the same
packet identifier (MQTT-4.4.0-1) and the DUP flag (MQTT-3.3.1-1). So (packet identifier, topic,
payload) names one delivery among the last 65,535: no broker can have more than that in flight, as
packet identifiers are 16 bits.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

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
