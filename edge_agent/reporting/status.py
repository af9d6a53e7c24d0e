"""The retained status: birth, changes, a sign of life now and then, goodbye, and the last will."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from isotherm.log import Problem
from isotherm.mqtt.status import Mark, Status, decode_mark, encode_status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from edge_agent.mqtt.broker.rival import Rival
    from edge_agent.mqtt.events import Up
    from edge_agent.reporting.retained import RetainedMessages
    from isotherm.log import Log

GAP: Final = 5.0
"""Seconds between two statuses at least, however fast things change."""


class Device(Protocol):
    """What is reported on."""

    @property
    def life(self) -> str:
        """Names this run of the agent."""
        ...

    @property
    def lives(self) -> Collection[str]:
        """Names this run and earlier ones, as far as they are known."""
        ...

    def status(self, *, online: bool) -> Status:
        """How it is now."""
        ...

    def signs(self) -> Hashable:
        """What is worth a new status at once when it changes; cheap."""
        ...

    def seen(self, mark: Mark | None) -> None:
        """How far the broker says that we had counted; None: it knows nothing of us."""
        ...


class StatusReporter:
    """Keeps the status at the broker up to date; a duty of the main loop.

    Its turn must come before the publisher's: what the broker knew is handed to the device before
    anything is sent over a new connection.

    Args:
        device: what is reported on.
        notices: where the status goes.
        topic: of the status.
        greeting: what the broker said when it let us in; None while there is no connection.
        interval: seconds between two statuses at most.
        rival: told of a status that another agent wrote in our name.
        takes: whether the broker takes a payload of so many bytes, as far as it is known.
        log: gets a line where the broker does not let us read our own status.
    """

    def __init__(
        self,
        device: Device,
        notices: RetainedMessages,
        *,
        topic: str,
        greeting: Callable[[], Up | None],
        interval: float,
        takes: Callable[[int], bool],
        rival: Rival,
        log: Log,
    ) -> None:
        self._device = device
        self._notices = notices
        self._topic = topic
        self._greeting = greeting
        self._interval = interval
        self._takes = takes
        self._rival = rival
        self._short = Problem(
            log.warning, "the status goes without its probes: it is larger than the broker takes"
        )
        self._log = log
        self._up: Up | None = None
        self._signs: Hashable = None
        self._reported = -math.inf
        self._sent = 0

    def turn(self, now: float) -> float:
        """Report where that is due; seconds until it is due again."""
        self._rival.turn(now)
        up = self._greeting()
        if up is not self._up:
            self._up = up
            if up is not None:
                self._meet(up)
                self._report(now)
        if up is None:
            return math.inf
        age = now - self._reported
        refused = not self._short and not self._takes(self._sent)
        news = refused or self._device.signs() != self._signs
        if age >= self._interval or (age >= GAP and news):
            self._report(now)
        return max(0.0, self._reported + self._interval - now)

    def will(self) -> bytes:
        """What the broker shall publish should we vanish: that we are offline, and who we are.

        Without probes and counts, which would be old by then: brokers that bound messages, or
        CONNECT itself, refuse a will that is long, and the connection with it.
        """
        return encode_status(_bare(self._device.status(online=False)))

    def farewell(self) -> None:
        """Report that we are about to end."""
        self._notices.post(self._topic, self._payload(online=False))

    def _meet(self, up: Up) -> None:
        if up.unreadable:
            self._log.warning(
                "our own status cannot be read back, so a copy of this device goes unseen",
                topic=self._topic,
                reason=up.unreadable,
            )
        mark = decode_mark(up.retained) if up.retained else None
        # Before the broker took ours, another life may be an earlier run of this agent.
        if mark is not None and self._notices.taken(self._topic):
            if mark.life == self._device.life:
                self._rival.alone()
            # An earlier run of ours is no rival: the broker lost what it had not saved.
            elif mark.life not in self._device.lives:
                self._rival.met(mark.life)
        self._device.seen(mark)

    def _report(self, now: float) -> None:
        self._reported = now
        self._signs = self._device.signs()
        self._notices.post(self._topic, self._payload(online=True))

    def _payload(self, *, online: bool) -> bytes:
        status = self._device.status(online=online)
        payload = encode_status(status)
        self._sent = len(payload)
        if self._takes(len(payload)):
            self._short.end()
            return payload
        self._short.begin(bytes=len(payload))
        payload = encode_status(replace(status, probes=()))
        return payload if self._takes(len(payload)) else encode_status(_bare(status))


def _bare(status: Status) -> Status:
    return replace(status, outbox={}, probes=())
