"""How much goes into one batch: all that waits, or as much as the line to Kafka takes in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from isotherm.log import Problem

if TYPE_CHECKING:
    from isotherm.log import Log

FIRST: Final = 256 * 1024
SLOW_S: Final = 3.0
"""A batch that takes longer is made smaller: a transaction has 10 s, and Kafka counts as lost once
nothing is confirmed for this long."""
_GROW_TO_S: Final = 2.4
_SHRINK_TO_S: Final = 1.5
_MOST_GROWTH: Final = 2.0
_LEAST_GROWTH: Final = 1.05
_LEAST_SHARE: Final = 0.125
_HELPED: Final = 0.75
_ENOUGH: Final = 2


class Pace:
    """The size of the next batch; used by one thread.

    A transaction must end within its time whatever the line, so a batch that did not is halved, and
    the size that went through is remembered. It begins small, and grows while batches are quick:
    what a slow line was given cannot be taken back, and is in the way of what comes after it.
    Kafka's quotas look like a slow line from here, and are treated as one.

    Args:
        log: gets one line when the connection is slow, and one when it no longer is.
        most: the largest batch, bytes as `bridge.pump.load.Load.weight` counts them.
    """

    def __init__(self, log: Log, most: int) -> None:
        self.limit = min(FIRST, most)
        self._most = most
        self._slowness = Problem(log.warning, "kafka slow", log.info, "kafka fast again")
        self._slow: tuple[int, float] | None = None
        """The last slow batch in a row, and what it took."""
        self._in_a_row = 0
        """After how many batches, one after another, it could not grow."""
        self._fixed = 0.0
        """What every batch takes here, whatever is in it, seconds; 0 unless it is much."""

    def too_slow(self, weight: int) -> None:
        """A batch did not get through in the time of a transaction.

        Args:
            weight: of that batch; 0 where it had no messages, which says nothing of a size.
        """
        if weight:
            self.limit = max(1, min(self.limit, weight) // 2)

    def took(self, weight: int, seconds: float) -> None:
        """A batch got through.

        Args:
            weight: of that batch; as above.
            seconds: that its last try took.
        """
        if not weight:
            return
        if seconds < self._fixed / 2:
            self._fixed = 0.0
        if seconds > max(SLOW_S, 2 * self._fixed):
            self._shrink(weight, seconds)
        else:
            self._slow = None
            # A small batch that is quick says nothing about a larger one.
            if self.limit < self._most and weight >= self.limit // 2:
                self._grow(seconds - self._fixed)
        # One alone may have met an outage.
        if self._in_a_row >= _ENOUGH and not self._slowness:
            self._slowness.begin(
                batch_bytes=weight,
                took_s=round(seconds, 1),
                note="the line to Kafka, or its quota, is too slow for a large batch; smaller ones "
                "are sent",
            )
        elif self.limit == self._most:
            self._slowness.end(batch_bytes=weight, took_s=round(seconds, 1))

    def _grow(self, seconds: float) -> None:
        growth = min(_MOST_GROWTH, _GROW_TO_S / max(seconds, 0.001))
        if growth < _LEAST_GROWTH:
            self._in_a_row += 1
            return
        self._in_a_row = 0
        self.limit = min(self._most, int(self.limit * growth) + 1)

    def _shrink(self, weight: int, seconds: float) -> None:
        before, self._slow = self._slow, (weight, seconds)
        if before and weight < before[0] * _HELPED and seconds > before[1] * _HELPED:
            # It is the way that is long, not the line that is slow: less at a time does not help.
            self._fixed = seconds
            self.limit = self._most
            self._in_a_row = 0
            return
        self._in_a_row += 1
        share = max(_LEAST_SHARE, _SHRINK_TO_S / seconds)
        self.limit = max(1, int(min(self.limit, weight) * share))
