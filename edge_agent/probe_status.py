"""How the probes are: what the log, the status message and `read` say about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from contract.log import Log
    from edge_agent.fault import Fault


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


class ProbeRecord:
    """The account of one probe; tells the log once when a fault begins, and once when it ends.

    Args:
        guid: names the sensor.
        log: gets the changes.
        clock: the system clock, nanoseconds since 1970.
    """

    def __init__(self, guid: str, *, log: Log, clock: Callable[[], int]) -> None:
        self._guid = guid
        self._log = log
        self._clock = clock
        self._fault: Fault | None = None
        self._why = ""
        self._since = clock()
        self._readings = 0
        self._faults: dict[Fault, int] = {}
        self._skipped = 0
        self.changes = 0

    def well(self) -> None:
        """It gave a temperature."""
        self._readings += 1
        if self._fault is not None:
            self._log.info("probe is well again", guid=self._guid, fault=self._fault)
            self._become(None, "")

    def faulty(self, fault: Fault, why: str = "") -> None:
        """It gave none."""
        self._faults[fault] = self._faults.get(fault, 0) + 1
        if fault is not self._fault:
            facts = {"why": why} if why else {}
            self._log.warning("probe has a fault", guid=self._guid, fault=fault, **facts)
            self._become(fault, why)

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
