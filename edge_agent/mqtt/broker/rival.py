"""Another agent under our device.id: named once, and met less and less often.

A broker ends the older of two connections with one client id. So two boards with one device.id
throw each other out for ever, and each sees only a connection that ends. What tells them apart is
the retained status: each run of an agent has a name, its life, and shows it there. A life that is
not ours, after the broker had taken our own status, is somebody else's. So is a broker that says
twice that our client id was taken over (DISCONNECT 0x8E; not all brokers say so).

Pure but for the clock, which is injected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from isotherm.backoff import Backoff
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from isotherm.log import Log

TAKEN_OVER: Final = 0x8E
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 60.0
"""Seconds before we take the client id back: each of the two delivers what waits in its turn."""
QUIET: Final = 300.0
"""Seconds of one connection after which the other counts as gone; far above the longest pause."""
WITHIN: Final = 300.0
"""Seconds between two takeovers that show a rival."""


class Rival:
    """Whether there is one, and how long to leave the client id to it.

    Args:
        device: our device.id.
        log: gets one line when a rival is found, and one when it is gone.
        clock: seconds, monotonic.
        backoff: between the loss of the client id and taking it back.
    """

    def __init__(
        self,
        device: str,
        *,
        log: Log,
        clock: Callable[[], float],
        backoff: Backoff | None = None,
    ) -> None:
        self._device = device
        self._clock = clock
        self._backoff = backoff or Backoff(first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        self._connected_at: float | None = None
        self._taken_at: float | None = None
        self._found = Problem(
            log.error,
            f"another agent uses device.id {device}, and the two throw each other out: give each a "
            "device.id of its own",
            log.info,
            "no other agent uses our device.id any more",
        )
        self.losses = 0
        """How often the broker said that another client took our client id."""

    @property
    def sentence(self) -> str:
        """For people; empty while there is no rival."""
        return self._found.event if self._found else ""

    @property
    def here(self) -> bool:
        """Whether there is one."""
        return bool(self._found)

    def connected(self) -> None:
        """A connection stands."""
        self._connected_at = self._clock()

    def met(self, life: str) -> None:
        """The retained status is of a life that is not ours, though ours was taken."""
        self._begin(life=life)

    def alone(self) -> None:
        """The retained status is still our own: nobody was connected in our place meanwhile."""
        self._end()

    def lost(self, code: int | None) -> float:
        """The connection ended, with this reason code if there was one.

        Returns:
            Seconds for which to stay away at least.
        """
        now = self._clock()
        held, self._connected_at = self._connected_at is not None, None
        if code == TAKEN_OVER:
            self.losses += 1
            if self._taken_at is not None and now - self._taken_at < WITHIN:
                self._begin()
            self._taken_at = now
        return self._backoff.next() if self.here and held else 0.0

    def turn(self, now: float) -> None:
        """See whether it is gone; `now` as `clock` has it."""
        if self.here and self._connected_at is not None and now - self._connected_at > QUIET:
            self._end()

    def _end(self) -> None:
        if self._found:
            self._backoff.reset()
        self._found.end(device=self._device)

    def _begin(self, **facts: object) -> None:
        self._found.begin(**facts)
