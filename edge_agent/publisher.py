"""The publisher: takes messages from a source, and sees each one through to its PUBACK.

It keeps its own window, connects again with jittered backoff for as long as it is asked to, and
sends all that was in flight again, in order, before anything new.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from contract.backoff import Backoff
from edge_agent.frames import FAILURE, NO_SUBSCRIBERS, QUOTA_EXCEEDED, Framer
from edge_agent.link import Acks, Down, Up
from edge_agent.message import Fate
from edge_agent.reason import reason
from edge_agent.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contract.log import Log
    from edge_agent.frames import Puback
    from edge_agent.link import Link
    from edge_agent.message import Message, Source

WINDOW: Final = 1_000
LONGEST_LENGTH: Final = 3
"""Bytes by which a packet's length may take more than an empty packet's."""
IDLE: Final = 0.5
"""The longest that `turn` lets its caller sleep, seconds: the connection needs looking after."""


class Publisher:
    """Moves messages from a source to the broker; see `turn`.

    Args:
        link: the connection.
        source: where messages come from, and where their fate is told.
        topic: of all messages that do not bring a framer of their own.
        window: messages in flight; the broker's Receive Maximum may make it smaller.
        log: gets one line per change of state.
        backoff: between two tries to connect.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        link: Link,
        source: Source,
        *,
        topic: str,
        log: Log,
        window: int = WINDOW,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._source = source
        self._framer = Framer(topic)
        self._window = Window(window)
        self._log = log
        self._backoff = backoff or Backoff()
        self._quota = Backoff(first=0.2, longest=10.0)
        self._clock = clock
        self._connected = False
        self._connecting = False
        self._session = False
        self._maximum_packet: int | None = None
        self._retry_at = 0.0
        self._hold_until = 0.0
        self._said = ""
        self.refused = False
        self.connections = 0
        self.greeting: Up | None = None
        """What the broker said when it let us in; another one with each connection."""

    @property
    def connected(self) -> bool:
        """Whether the broker lets us send right now."""
        return self._connected

    @property
    def unsettled(self) -> int:
        """Messages that were taken from the source and are not settled."""
        return len(self._window)

    @property
    def largest(self) -> int | None:
        """Bytes of the largest payload that the broker takes; None where it sets no bound."""
        most = self._maximum_packet
        return None if most is None else most - self._framer.size(b"") - LONGEST_LENGTH

    @property
    def waiting_for(self) -> str:
        """Why there is no connection, for people; empty while there is one."""
        return "" if self._connected else self._said or "connecting"

    def turn(self) -> float:
        """Send what may be sent, hear what the broker says; never blocks.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        now = self._clock()
        if not self._connected and not self._connecting and now >= self._retry_at:
            self._connecting = True
            self._link.open()
        frames = self._frames(now) if self._connected else b""
        events = self._link.exchange(frames)
        for event in events:
            match event:
                case Acks():
                    self._settle(event.pubacks)
                case Up():
                    self._up(event)
                case Down():
                    self._down(event)
        # What was heard may have made room in the window.
        return 0.0 if events else self._patience(now)

    def close(self, *, vanish: bool = False) -> None:
        """Say goodbye; what is not settled stays so.

        Args:
            vanish: have the broker publish the will.
        """
        self._connected = False
        self._link.close(vanish=vanish)

    def _frames(self, now: float) -> bytes:
        if now < self._hold_until:
            return b""
        window, own, most = self._window, self._framer, self._maximum_packet
        frames = []
        while (message := window.again()) is not None:
            framer = message.framer or own
            frames.append(framer.frame(message.mid, message.payload, again=self._session))
        while window.open() and (message := self._source.next()) is not None:
            framer = message.framer or own
            if most is not None and (size := framer.size(message.payload)) > most:
                why = f"its packet has {size} bytes, the broker takes {most}"
                self._source.settle(message, Fate.REFUSED, why)
                continue
            window.add(message)
            frames.append(framer.frame(message.mid, message.payload))
        return b"".join(frames)

    def _settle(self, pubacks: Sequence[Puback]) -> None:
        held = self._hold_until
        for mid, code in pubacks:
            message = self._window.settle(mid)
            if message is None:
                continue
            if code == 0:
                self._source.settle(message, Fate.DELIVERED, "")
            else:
                self._settle_odd(message, code)
        self._backoff.reset()
        if self._hold_until == held:
            self._quota.reset()

    def _settle_odd(self, message: Message, code: int) -> None:
        if code == QUOTA_EXCEEDED:
            self._window.postpone(message)
            self._hold_until = self._clock() + self._quota.next()
        elif code >= FAILURE:
            self._source.settle(message, Fate.REFUSED, reason(code))
        else:
            fate = Fate.UNHEARD if code == NO_SUBSCRIBERS else Fate.DELIVERED
            self._source.settle(message, fate, "")

    def _up(self, up: Up) -> None:
        self._connecting, self._connected = False, True
        self.greeting = up
        self.connections += 1
        self._session = up.session
        self._maximum_packet = up.maximum_packet
        self._window.connected(up.receive_maximum)
        self._said = ""
        session = "resumed" if up.session else "new"
        self._log.info("connected", session=session, resend=len(self._window))

    def _down(self, down: Down) -> None:
        now = self._clock()
        self._connecting = self._connected = False
        self.greeting = None
        self.refused = down.refused
        culprit = self._window.lost(blamed=down.blamed)
        if culprit is not None:
            why = f"the connection ends whenever it is sent ({down.reason})"
            self._source.settle(culprit, Fate.REFUSED, why)
        delay = self._backoff.next()
        self._retry_at = now + delay
        if down.reason != self._said:
            self._log.warning("no broker", reason=down.reason, unacknowledged=len(self._window))
        self._said = down.reason

    def _patience(self, now: float) -> float:
        due = self._hold_until if self._connected else self._retry_at
        return min(IDLE, due - now) if due > now and not self._connecting else IDLE
