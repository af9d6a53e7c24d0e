"""The messages between PUBLISH and PUBACK: bounded, in order, sent again on a new connection.

Pure: it knows neither a socket nor a clock.

Ours: paho's own looks through all messages at each PUBACK, 5 ms with 10,000 of them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mqtt.message import Message

MAX_MID: Final = 65_535 - 1
"""Of the packet identifiers that MQTT has, one is left for what is no message."""
MOST_BYTES: Final = 8 << 20
"""Payload bytes in flight; one larger message still goes, alone."""
BARREN: Final = 2
"""So many connections in a row that ended without any PUBACK put the window on its guard."""
STRIKES: Final = 3
"""So many connections that ended on one message sent alone prove that it ends them."""


class Window:
    """The messages in flight.

    A message may be what makes the broker hang up (it is too large for it, say), and a hung-up
    connection does not tell which it was. So after losses without progress the window is on its
    guard: it sends one message at a time until all that were in flight are settled. The one on
    which the connection ends again and again is given up, instead of being sent for ever.

    Args:
        most: messages in flight, 1 to 65,535.
        most_bytes: payload bytes in flight.
    """

    def __init__(self, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._limit = 0
        self._flight: dict[int, Message] = {}
        self._again: deque[Message] = deque()
        self._bytes = 0
        self._suspects = 0
        self._settled_here = 0
        self._barren = 0
        self._strikes = 0

    def __len__(self) -> int:
        """Messages that are not settled, on the wire or to be sent again."""
        return len(self._flight) + len(self._again)

    @property
    def flight(self) -> list[Message]:
        """The messages that were sent over this connection and are not settled."""
        return list(self._flight.values())

    @property
    def on_guard(self) -> bool:
        """Whether messages go one at a time, as one of them may end the connection."""
        return self._suspects > 0

    def connected(self, receive_maximum: int) -> None:
        """A connection stands; the broker takes `receive_maximum` messages at once."""
        self._limit = min(self._most, receive_maximum, MAX_MID)
        self._settled_here = 0

    def again(self) -> Message | None:
        """The next message to be sent again, if there is one and room for it: `add` it then."""
        return self._again.popleft() if self._again and self._room() else None

    def open(self) -> bool:
        """Whether a new message may be added: there is room, and no old one goes first."""
        return not self._again and self._room()

    def add(self, message: Message, mid: int) -> None:
        """A message was sent under a packet identifier; only while there is room."""
        message.mid = mid
        self._flight[mid] = message
        self._bytes += len(message.payload)

    def settle(self, mid: int) -> Message | None:
        """The broker answered; None for an identifier that is not in flight."""
        message = self._flight.pop(mid, None)
        if message is not None:
            self._bytes -= len(message.payload)
            self._settled_here += 1
            if self._suspects:
                self._suspects -= 1
                self._strikes = 0
        return message

    def postpone(self, message: Message) -> None:
        """Put a settled message back to be sent again, before all new ones."""
        self._again.append(message)

    def lost(self, *, blamed: bool = False) -> Message | None:
        """The connection ended: all in flight goes again, in order, before anything new.

        Args:
            blamed: the broker said that a message was the cause.

        Returns:
            The message that is given up, as it is proven to be the cause.
        """
        culprit = self._judge(blamed=blamed)
        # Oldest first: what never left `_again` on this connection is younger than the flight.
        self._again.extendleft(reversed(self._flight.values()))
        self._flight.clear()
        self._bytes = 0
        self._limit = 0
        return culprit

    def withdraw(self, unwanted: Callable[[Message], bool]) -> list[Message]:
        """Take out messages that wait to be sent again; they are not settled here any more."""
        gone = [message for message in self._again if unwanted(message)]
        if gone:
            self._again = deque(message for message in self._again if not unwanted(message))
            self._suspects = min(self._suspects, len(self))
        return gone

    def _judge(self, *, blamed: bool) -> Message | None:
        if not self._flight:
            return None
        if self._settled_here and not blamed:
            self._barren = 0
            self._strikes = 0
            return None
        self._barren += 1
        if len(self._flight) == 1 and (blamed or self._suspects):
            self._strikes += 1
            if blamed or self._strikes >= STRIKES:
                mid, culprit = self._flight.popitem()
                assert mid == culprit.mid
                self._suspects = max(0, self._suspects - 1)
                self._strikes = self._barren = 0
                return culprit
        elif blamed or self._barren >= BARREN:
            self._suspects = len(self)
        return None

    def _room(self) -> bool:
        limit = 1 if self._suspects else self._limit
        return len(self._flight) < limit <= self._limit and self._bytes < self._most_bytes
