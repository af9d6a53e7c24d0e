"""How much goes into one batch: all that waits, or as much as the line to Kafka takes in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contract.log import Log

SLOW_S: Final = 3.0
"""A batch that takes longer is made smaller: a transaction has 10 s, and Kafka counts as lost once
nothing is confirmed for this long."""
_AIM_S: Final = 1.5
_QUICK_S: Final = 0.75
_LEAST_SHARE: Final = 0.125
_HELPED: Final = 0.75
_ENOUGH: Final = 2


class Pace:
    """The size of the next batch; used by one thread.

    A transaction must end within its time whatever the line, so a batch that did not is halved, and
    the size that went through is remembered. Batches that are quick let it grow again. Kafka's
    quotas look like a slow line from here, and are treated as one.

    Args:
        log: where a slow line is said, once, and its end.
        most: the largest batch, bytes as `bridge.load.Load.weight` counts them.
    """

    def __init__(self, log: Log, most: int) -> None:
        self.limit = most
        self._most = most
        self._log = log
        self._said = False
        self._slow: tuple[int, float] | None = None
        """The last slow batch in a row, and what it took."""
        self._in_a_row = 0
        """How many small batches were not quick, one after another."""
        self._fixed = 0.0
        """What every batch takes here, whatever is in it, seconds; 0 unless it is much."""

    def too_slow(self, weight: int) -> None:
        """A batch did not get through in the time of a transaction.

        Args:
            weight: of that batch.
        """
        self.limit = max(1, min(self.limit, weight) // 2)

    def took(self, weight: int, seconds: float) -> None:
        """A batch got through.

        Args:
            weight: of that batch.
            seconds: that its last try took.
        """
        reduced = self.limit < self._most
        quick = seconds < _QUICK_S + self._fixed
        self._in_a_row = self._in_a_row + 1 if reduced and not quick else 0
        if seconds < self._fixed / 2:
            self._fixed = 0.0
        if seconds > max(SLOW_S, 2 * self._fixed):
            self._shrink(weight, seconds)
        else:
            self._slow = None
            # A small batch that is quick says nothing about a larger one.
            if reduced and quick and weight >= self.limit // 2:
                self.limit = min(self._most, self.limit * 2)
        # One alone may have met an outage.
        if self._in_a_row == _ENOUGH and not self._said:
            self._said = True
            self._log.warning(
                "kafka slow",
                batch_bytes=weight,
                took_s=round(seconds, 1),
                note="the line to Kafka, or its quota, is too slow for a large batch; smaller ones "
                "are sent",
            )
        elif self._said and self.limit == self._most:
            self._said = False
            self._log.info("kafka fast again", batch_bytes=weight, took_s=round(seconds, 1))

    def _shrink(self, weight: int, seconds: float) -> None:
        before, self._slow = self._slow, (weight, seconds)
        if before and weight < before[0] * _HELPED and seconds > before[1] * _HELPED:
            # It is the way that is long, not the line that is slow: less at a time does not help.
            self._fixed = seconds
            self.limit = self._most
            return
        share = max(_LEAST_SHARE, _AIM_S / seconds)
        self.limit = max(1, int(min(self.limit, weight) * share))
