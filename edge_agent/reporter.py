"""The retained status: birth, changes, a sign of life now and then, goodbye, and the last will."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from contract.status import Mark, Status, decode_mark, encode_status

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from contract.log import Log
    from edge_agent.link import Up
    from edge_agent.notices import Notices

GAP: Final = 5.0
"""Seconds between two statuses at least, however fast things change."""
MAX_WILL: Final = 65_535
"""Bytes that a will may have (OASIS MQTT 5.0, section 3.1.3.4: binary data)."""


class Device(Protocol):
    """What is reported on."""

    def status(self, *, online: bool) -> Status:
        """How it is now."""
        ...

    def signs(self) -> Hashable:
        """What is worth a new status at once when it changes; cheap."""
        ...

    def seen(self, mark: Mark | None) -> None:
        """How far the broker says that we had counted; None: it knows nothing of us."""
        ...


class Reporter:
    """Keeps the status at the broker up to date; a duty of the board (see `Board`).

    Its turn must come before the publisher's: what the broker knew is handed to the device before
    anything is sent over a new connection.

    Args:
        device: what is reported on.
        notices: where the status goes.
        topic: of the status.
        greeting: what the broker said when it let us in; None while there is no connection.
        interval: seconds between two statuses at most.
        log: gets a line where the broker does not let us read our own status.
    """

    def __init__(
        self,
        device: Device,
        notices: Notices,
        *,
        topic: str,
        greeting: Callable[[], Up | None],
        interval: float,
        log: Log,
    ) -> None:
        self._device = device
        self._notices = notices
        self._topic = topic
        self._greeting = greeting
        self._interval = interval
        self._log = log
        self._up: Up | None = None
        self._signs: Hashable = None
        self._reported = -math.inf

    def turn(self, now: float) -> float:
        """Report where that is due; seconds until it is due again."""
        up = self._greeting()
        if up is not self._up:
            self._up = up
            if up is not None:
                self._meet(up)
                self._report(now)
        if up is None:
            return math.inf
        age = now - self._reported
        if age >= self._interval or (age >= GAP and self._device.signs() != self._signs):
            self._report(now)
        return max(0.0, self._reported + self._interval - now)

    def will(self) -> bytes:
        """What the broker shall publish should we vanish: the status as it is now, but offline."""
        status = self._device.status(online=False)
        payload = encode_status(status)
        return payload if len(payload) <= MAX_WILL else encode_status(replace(status, probes=()))

    def farewell(self) -> None:
        """Report that we are about to end."""
        self._notices.post(self._topic, encode_status(self._device.status(online=False)))

    def _meet(self, up: Up) -> None:
        if up.unreadable:
            self._log.warning(
                "our own status cannot be read back, so a copy of this device goes unseen",
                topic=self._topic,
                reason=up.unreadable,
            )
        self._device.seen(decode_mark(up.retained) if up.retained else None)

    def _report(self, now: float) -> None:
        self._reported = now
        self._signs = self._device.signs()
        self._notices.post(self._topic, encode_status(self._device.status(online=True)))
