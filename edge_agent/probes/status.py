"""The state of each probe, for the log, the status message and the command `read`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.probes.fault import Fault
    from isotherm.log import Log


class ProbeStatus(NamedTuple):
    """The state of one probe at one moment.

    Attributes:
        fault: why the last read gave no temperature; None if it gave one, or if there was no read.
        why: the cause of the fault, for people; may be empty.
        since: when this began, nanoseconds since 1970 by the system clock, which may be wrong.
        readings: temperatures that it gave.
        faults: reads that gave none, by fault; faults that never occurred are left out.
        skipped: ticks at which the read before was still running, within its timeout.
    """

    fault: Fault | None
    why: str
    since: int
    readings: int
    faults: Mapping[Fault, int]
    skipped: int


LINES: Final = 10
"""Changes of one probe that are logged without a delay."""
LINE_EVERY: Final = 60.0
"""Seconds between two more lines about a probe that changes all the time."""


class Budget:
    """Limits the log lines about one thing: a number at once, then one per interval.

    Args:
        most: lines at once.
        every: seconds after which there may be one more.
        clock: seconds, monotonic.
    """

    def __init__(self, most: int, every: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._every = every
        self._clock = clock
        self._spent = 0.0
        self._at = clock()

    def take(self) -> bool:
        """Whether a line may be logged now; if so, it is counted."""
        now = self._clock()
        self._spent = max(0.0, self._spent - (now - self._at) / self._every)
        self._at = now
        if self._spent > self._most - 1:
            return False
        self._spent += 1
        return True


class ProbeRecord:
    """Counts what one probe gave; logs once when a fault begins, and once when it ends.

    Of a probe that changes all the time it logs `LINES` changes, then one per `LINE_EVERY` with the
    number of those that were left out. The last state is always logged in the end.

    Args:
        guid: names the sensor.
        log: gets the changes.
        clock: the system clock, nanoseconds since 1970.
        monotonic: seconds, for the limit of the lines.
    """

    def __init__(
        self,
        guid: str,
        *,
        log: Log,
        clock: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guid = guid
        self._log = log
        self._clock = clock
        self._fault: Fault | None = None
        self._why = ""
        self._since = clock()
        self._readings = 0
        self._faults: dict[Fault, int] = {}
        self._skipped = 0
        self._budget = Budget(LINES, LINE_EVERY, monotonic)
        # Changes since the last line, and the state in that line.
        self._unlogged = 0
        self._logged: Fault | None = None
        self.changes = 0

    def reading(self) -> None:
        """Count a read that gave a temperature."""
        self._readings += 1
        if self._fault is not None:
            self._change(None, "")
        elif self._unlogged:
            self._log_change()

    def failure(self, fault: Fault, why: str = "") -> None:
        """Count a read that gave none."""
        self._faults[fault] = self._faults.get(fault, 0) + 1
        if fault is not self._fault:
            self._change(fault, why)
        elif self._unlogged:
            self._log_change()

    def skip(self) -> None:
        """Count a read that was due while the read before was still running."""
        if not self._skipped:
            self._log.warning("probe is slower than its interval", guid=self._guid)
        self._skipped += 1

    def status(self) -> ProbeStatus:
        """Its state now."""
        return ProbeStatus(
            self._fault,
            self._why,
            self._since,
            self._readings,
            dict(self._faults),
            self._skipped,
        )

    def _change(self, fault: Fault | None, why: str) -> None:
        self._fault = fault
        self._why = why
        self._since = self._clock()
        self.changes += 1
        self._unlogged += 1
        self._log_change()

    def _log_change(self) -> None:
        if not self._budget.take():
            return
        facts: dict[str, object] = {"left_out": self._unlogged - 1} if self._unlogged > 1 else {}
        before, self._logged, self._unlogged = self._logged, self._fault, 0
        if self._fault is None:
            facts = {"fault": before, **facts} if before is not None else facts
            self._log.info("probe gives temperatures again", guid=self._guid, **facts)
        else:
            facts = {"why": self._why, **facts} if self._why else facts
            self._log.warning("probe has a fault", guid=self._guid, fault=self._fault, **facts)
