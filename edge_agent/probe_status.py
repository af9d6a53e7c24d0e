"""How the probes are: what the log, the status message and `read` say about each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.fault import Fault
    from isotherm.log import Log


class ProbeStatus(NamedTuple):
    """How one probe is, at one moment.

    Attributes:
        fault: why it gave no temperature last time; None where it did, or was not read yet.
        why: more about the fault, for people; may be empty.
        since: when this began, nanoseconds since 1970 by the system clock, which may be wrong.
        readings: temperatures that it gave.
        faults: reads that gave none, per fault; only those faults that it has had.
        skipped: ticks at which the read before was still under way, and not late yet.
    """

    fault: Fault | None
    why: str
    since: int
    readings: int
    faults: Mapping[Fault, int]
    skipped: int


LINES: Final = 10
"""So many changes of a probe are told at once."""
LINE_EVERY: Final = 60.0
"""Seconds after which another one may be told, where a probe flaps."""


class Budget:
    """Bounds how many lines may come of one thing: some at once, then one now and then.

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
        """Whether there may be a line now; then it counts."""
        now = self._clock()
        self._spent = max(0.0, self._spent - (now - self._at) / self._every)
        self._at = now
        if self._spent > self._most - 1:
            return False
        self._spent += 1
        return True


class ProbeRecord:
    """The account of one probe; tells the log once when a fault begins, and once when it ends.

    Of a probe that flaps it tells `LINES` changes, and then one in `LINE_EVERY` with how many were
    left out, the last state always.

    Args:
        guid: names the sensor.
        log: gets the changes.
        clock: the system clock, nanoseconds since 1970.
        monotonic: seconds, for the bound of the lines.
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
        # Changes that were not told, and the state that was told last.
        self._untold = 0
        self._told: Fault | None = None
        self.changes = 0

    def well(self) -> None:
        """It gave a temperature."""
        self._readings += 1
        if self._fault is not None:
            self._become(None, "")
        elif self._untold:
            self._tell()

    def faulty(self, fault: Fault, why: str = "") -> None:
        """It gave none."""
        self._faults[fault] = self._faults.get(fault, 0) + 1
        if fault is not self._fault:
            self._become(fault, why)
        elif self._untold:
            self._tell()

    def skip(self) -> None:
        """It was due, but is still busy with the read before."""
        if not self._skipped:
            self._log.warning("probe is slower than its interval", guid=self._guid)
        self._skipped += 1

    def status(self) -> ProbeStatus:
        """How it is now."""
        return ProbeStatus(
            self._fault,
            self._why,
            self._since,
            self._readings,
            dict(self._faults),
            self._skipped,
        )

    def _become(self, fault: Fault | None, why: str) -> None:
        self._fault = fault
        self._why = why
        self._since = self._clock()
        self.changes += 1
        self._untold += 1
        self._tell()

    def _tell(self) -> None:
        if not self._budget.take():
            return
        facts: dict[str, object] = {"left_out": self._untold - 1} if self._untold > 1 else {}
        before, self._told, self._untold = self._told, self._fault, 0
        if self._fault is None:
            facts = {"fault": before, **facts} if before is not None else facts
            self._log.info("probe is well again", guid=self._guid, **facts)
        else:
            facts = {"why": self._why, **facts} if self._why else facts
            self._log.warning("probe has a fault", guid=self._guid, fault=self._fault, **facts)
