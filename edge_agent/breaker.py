"""When the broker takes nothing, or nobody listens: how long to hold, and when to try again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isotherm.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable


class Breaker:
    """Holds messages back after one was not taken; then lets one go at a time until one is.

    Args:
        clock: seconds, monotonic.
        backoff: between two tries.
    """

    def __init__(self, clock: Callable[[], float], backoff: Backoff | None = None) -> None:
        self._clock = clock
        self._backoff = backoff or Backoff(first=1.0, longest=60.0)
        self._until = 0.0
        self._trial = False

    def lets(self, flying: int) -> bool:
        """Whether a message may go, while so many are on their way."""
        return not self._trial or (flying == 0 and self._clock() >= self._until)

    def wait(self) -> float:
        """Seconds until it may let one go; 0 where time is not what it waits for."""
        return max(0.0, self._until - self._clock()) if self._trial else 0.0

    def kept(self) -> None:
        """A message was not taken."""
        # What was on its way together fails together: that is one failure.
        if not self._trial or self._clock() >= self._until:
            self._until = self._clock() + self._backoff.next()
        self._trial = True

    def delivered(self) -> None:
        """A message was taken."""
        self._trial = False
        self._backoff.reset()
