"""How fast a file is replayed: so many messages a second, without bursts to catch up."""

from __future__ import annotations

from typing import Final

BURST: Final = 0.1
"""After a pause at most this many seconds' worth of messages go at once."""


class RateLimit:
    """Lets messages go at a steady rate; the first goes at once.

    Args:
        rate: messages per second; None lets all go at once.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._most = 1.0 + (rate or 0.0) * BURST
        self._saved = 1.0
        self._seen: float | None = None

    def take(self, now: float) -> bool:
        """Whether a message may go at the time `now`, seconds of a monotonic clock."""
        if self._rate is None:
            return True
        if self._seen is not None:
            self._saved = min(self._most, self._saved + (now - self._seen) * self._rate)
        self._seen = now
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True

    def wait(self) -> float:
        """Seconds, after the last `take`, until a message may go."""
        return 0.0 if self._rate is None else max(0.0, (1.0 - self._saved) / self._rate)
