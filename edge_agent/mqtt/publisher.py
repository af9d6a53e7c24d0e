"""The publisher: takes messages from a source, and sees each one through to its PUBACK.

It keeps its own window, connects again with jittered backoff for as long as it is asked to, and
sends all that was in flight again, in order, before anything new.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from edge_agent.mqtt.broker.size_limit import FIRST, SizeLimit
from edge_agent.mqtt.events import MQTT_3, Acks, Down, Passed, Puback, Up
from edge_agent.mqtt.inflight import Window
from edge_agent.mqtt.message import Fate, packet_size
from edge_agent.mqtt.reason_codes import (
    FAILURE,
    NO_SUBSCRIBERS,
    QUOTA_EXCEEDED,
    TOO_LARGE,
    reason,
)
from isotherm.backoff import Backoff
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.mqtt.broker.rival import Rival
    from edge_agent.mqtt.broker.will import LastWill
    from edge_agent.mqtt.events import Link
    from edge_agent.mqtt.message import Message, Source
    from isotherm.log import Log

WINDOW: Final = 1_000
FULL: Final = 5.0
"""Seconds in which a broker has answered with nothing but a quota, after which that is said."""
LONGEST_LENGTH: Final = 3
"""Bytes by which a packet's length may take more than an empty packet's."""
_NO_QOS: Final = (
    "it takes QoS 0 only, so delivery cannot be promised: what it has read counts as delivered, "
    "and it may lose that"
)
_NO_RETAIN: Final = (
    "it keeps no retained messages, so whoever comes later sees no status, and a copy of this "
    "outbox goes unseen"
)
_OLD: Final = (
    "it speaks MQTT 3.1.1, which does not say whether anybody gets a reading, nor that it refuses "
    "one"
)
IDLE: Final = 0.5
"""The longest that `turn` lets its caller sleep, seconds: the connection needs looking after."""


class Publisher:
    """Moves messages from a source to the broker; see `turn`.

    Args:
        link: the connection.
        source: where messages come from, and where their fate is told.
        topic: of all messages that do not bring one of their own.
        first_packet: bytes of the largest packet before anything is known of the broker.
        window: messages in flight; the broker's Receive Maximum may make it smaller.
        log: gets one line per change of state.
        will: what to ask the broker for at each connect; None for nothing.
        rival: knows of another client with our client id; None where there can be none.
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
        first_packet: int = FIRST,
        window: int = WINDOW,
        will: LastWill | None = None,
        rival: Rival | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._source = source
        self._topic = topic
        self._overhead = packet_size(topic, 0) + LONGEST_LENGTH
        self._window = Window(window)
        self._log = log
        self._backoff = backoff or Backoff()
        self._quota = Backoff(first=0.2, longest=10.0)
        self._clock = clock
        self._connected = False
        self._connecting = False
        self._will = will
        self._rival = rival
        self._limit = SizeLimit(clock, first=first_packet)
        self._qos = 1
        self._retain = True
        self._lacks = Problem(
            log.warning,
            "this broker cannot do all that we ask of it",
            log.info,
            "the broker can do all that we ask of it now",
        )
        # At QoS 0: the mark behind the messages under way, and their identifiers.
        self._mark: tuple[int, list[int]] | None = None
        self._retry_at = 0.0
        self._hold_until = 0.0
        self._full_since: float | None = None
        self._full = Problem(
            log.warning,
            "the broker takes no more for now: what there is waits",
            log.info,
            "the broker takes messages again",
        )
        self._away = Problem(log.warning, "no broker")
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
    def largest(self) -> int:
        """Bytes of the largest payload that readings should be sent in, by what is known now."""
        return self._limit.bytes - self._overhead

    @property
    def packet_limit(self) -> int:
        """Bytes of the largest packet that readings are sent in now."""
        return self._limit.bytes

    @property
    def lacks(self) -> str:
        """What the broker cannot do of what we ask of it, for people; empty where it can all."""
        return self._lacks.reason

    @property
    def promised(self) -> bool:
        """Whether the broker acknowledges what it takes; it does not if it takes QoS 0 only."""
        return self._qos > 0

    def takes(self, size: int) -> bool:
        """Whether a payload of so many bytes may go, in one piece, by what is known now."""
        return self._limit.takes(size + self._overhead)

    @property
    def waiting_for(self) -> str:
        """Why there is no connection, for people; empty while there is one."""
        return "" if self._connected else self._away.reason or "connecting"

    def turn(self) -> float:
        """Send what may be sent, hear what the broker says; never blocks.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        now = self._clock()
        if not self._connected and not self._connecting and now >= self._retry_at:
            self._connecting = True
            if self._will is not None:
                self._link.will = self._will.offer()
            self._link.open()
        if self._connected:
            self._publish(now)
        events = self._link.exchange()
        for event in events:
            match event:
                case Acks():
                    self._settle(event.pubacks)
                case Passed():
                    self._passed(event.mark)
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

    def _publish(self, now: float) -> None:
        """Give the connection all that it may have now."""
        if now < self._hold_until or self._mark is not None:
            return
        window, most = self._window, self._limit.announced
        mids: list[int] = []
        while (message := window.again()) is not None:
            mids.append(self._send(message))
        while window.open() and (message := self._source.next()) is not None:
            if most is not None and (size := self._size(message)) > most:
                why = f"its packet has {size} bytes, the broker takes {most}"
                self._source.too_large(message, why)
                continue
            mids.append(self._send(message))
        if mids and not self._qos:
            self._mark = (self._link.mark(), mids)

    def _send(self, message: Message) -> int:
        topic, retain = self._topic, False
        if message.topic is not None:
            topic, retain = message.topic, self._retain
        mid = self._link.publish(topic, message.payload, qos=self._qos, retain=retain)
        self._window.add(message, mid)
        return mid

    def _size(self, message: Message) -> int:
        return packet_size(message.topic or self._topic, len(message.payload))

    def _passed(self, mark: int) -> None:
        """At QoS 0 nothing is acknowledged; that it was read is all that there is to know."""
        if self._mark is not None and self._mark[0] == mark:
            mids, self._mark = self._mark[1], None
            self._settle([Puback(mid, 0) for mid in mids])

    def _settle(self, pubacks: Sequence[Puback]) -> None:
        held = self._hold_until
        for mid, code in pubacks:
            message = self._window.settle(mid)
            if message is None:
                continue
            if code == 0:
                self._limit.took(self._size(message))
                self._source.settle(message, Fate.DELIVERED, "")
            else:
                self._settle_odd(message, code)
        self._backoff.reset()
        if self._hold_until == held:
            self._quota.reset()
            self._full_since = None
            self._full.end()

    def _settle_odd(self, message: Message, code: int) -> None:
        if code == QUOTA_EXCEEDED:
            self._window.postpone(message)
            self._wait_for_quota(code)
        elif code == TOO_LARGE:
            size = self._size(message)
            self._limit.refuse(size)
            self._source.too_large(message, f"{reason(code)}: its packet has {size} bytes")
        elif code >= FAILURE:
            self._source.settle(message, Fate.REFUSED, reason(code))
        else:
            fate = Fate.UNHEARD if code == NO_SUBSCRIBERS else Fate.DELIVERED
            self._source.settle(message, fate, "")

    def _wait_for_quota(self, code: int) -> None:
        now = self._clock()
        self._hold_until = now + self._quota.next()
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since >= FULL:
            self._full.begin(reason(code), reason=reason(code))

    def _up(self, up: Up) -> None:
        self._connecting, self._connected = False, True
        self.greeting = up
        self.connections += 1
        self._limit.connected(up.maximum_packet)
        self._window.connected(up.receive_maximum)
        self._qos, self._retain = min(1, up.maximum_qos), up.retain
        if self._will is not None:
            self._will.taken()
        if self._rival is not None:
            self._rival.connected()
        self._away.end()
        self._log.info("connected", resend=len(self._window))
        self._tell_lacks(up)

    def _tell_lacks(self, up: Up) -> None:
        lacks = [
            *([] if up.maximum_qos else [_NO_QOS]),
            *([] if up.retain else [_NO_RETAIN]),
            *([_OLD] if up.version == MQTT_3 else []),
        ]
        said = "; ".join(lacks)
        if said:
            self._lacks.begin(said, lacks=said)
        else:
            self._lacks.end()

    def _down(self, down: Down) -> None:
        now = self._clock()
        met = self._connected
        self._connecting = self._connected = False
        self.greeting = None
        self.refused = down.refused
        self._mark = None
        self._lose(down)
        if not met and self._will is not None and self._will.failed(down):
            # The next try asks for less: that is no broker that is away.
            self._retry_at = now
            return
        delay = self._backoff.next()
        if self._rival is not None:
            delay = max(delay, self._rival.lost(down.code))
        self._retry_at = now + delay
        self._away.begin(down.reason, reason=down.reason, unacknowledged=len(self._window))

    def _lose(self, down: Down) -> None:
        """What was under way goes again, or in smaller parts, if it was what ended it."""
        flight = self._window.flight
        blamed = down.code == TOO_LARGE
        lowered = self._limit.lost(map(self._size, flight), blamed=blamed)
        culprit = self._window.lost(blamed=down.blamed)
        if culprit is not None:
            why = f"the connection ends whenever it is sent ({down.reason})"
            if blamed or culprit.readings > 1:
                self._source.too_large(culprit, why)
            else:
                self._source.settle(culprit, Fate.REFUSED, why)
        if lowered:
            most = self._limit.bytes
            for message in self._window.withdraw(
                # A notice comes anew with each connection, shorter if need be.
                lambda message: message.readings != 1 and self._size(message) > most
            ):
                self._source.too_large(message, down.reason)

    def _patience(self, now: float) -> float:
        due = self._hold_until if self._connected else self._retry_at
        return min(IDLE, due - now) if due > now and not self._connecting else IDLE
