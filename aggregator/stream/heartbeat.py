"""The heartbeat: when to say that a trigger brought nothing. Spark runs no batch without data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GRACE: Final = 0.5
"""Seconds after a trigger's boundary in which Spark begins with it, at most half an interval."""


@dataclass(slots=True)
class Heartbeat:
    """Decides at which boundaries the job was idle.

    Spark's triggers are aligned to multiples of the interval since 1970; so are these.

    Args:
        interval: seconds between triggers.
        start: seconds since 1970, when the query began.
    """

    interval: float
    start: float
    _seen: int = 0
    _look_at: int = 0

    def __post_init__(self) -> None:
        self._look_at = self._after(self.start)

    def idle(self, now: float, *, busy: bool, batches: int) -> bool:
        """Whether to say now that a trigger passed without data; says so once for each.

        Args:
            now: seconds since 1970.
            busy: whether Spark is within a trigger; then nothing is said, however long it takes.
            batches: how many batches there have been so far.
        """
        if busy or _milliseconds(now) < self._look_at:
            return False
        self._look_at = self._after(now)
        quiet = batches == self._seen
        self._seen = batches
        return quiet

    def _after(self, now: float) -> int:
        # Whole milliseconds, as Spark has them: with floats a boundary may come twice.
        interval = _milliseconds(self.interval)
        grace = min(_milliseconds(GRACE), interval // 2)
        return ((_milliseconds(now) - grace) // interval + 1) * interval + grace


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
