"""What a running job shows of itself over HTTP, and whether its numbers are fresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aggregator.kafka.availability import Presence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aggregator.dead_letters.set_aside import Aside
    from aggregator.dead_letters.writer import DeadLetters
    from aggregator.kafka.availability import Attendance
    from aggregator.kafka.lag import Lag
    from aggregator.ledger.sensors import Sensors
    from aggregator.monitoring.counters import Observed
    from aggregator.sinks.best_effort import BestEffortSink
    from isotherm.tasks import Tasks

STALE_TRIGGERS: Final = 3
"""After so many triggers without a snapshot the job is not ready; after 30 s at the least."""
_STALE_S: Final = 30.0


@dataclass(slots=True, kw_only=True)
class View:
    """What the values are read from; a part that is not there yet counts nothing.

    Attributes:
        observed: what the job has done.
        trigger: seconds between two triggers.
        sinks: those that may fail.
        lag: how far behind it is.
        letters: its dead letters.
        aside: what it could not count.
        tasks: its threads.
        attendance: whether Kafka is there.
        ledger: its file.
        capacity: how many sensors it has room for; None without one.
        sensors: what its ledger has of each sensor.
    """

    observed: Observed
    trigger: float
    sinks: Sequence[BestEffortSink] = ()
    lag: Lag | None = None
    letters: DeadLetters | None = None
    aside: Aside | None = None
    tasks: Tasks | None = None
    attendance: Attendance | None = None
    ledger: Path | None = None
    capacity: int | None = None
    sensors: Sensors | None = None

    @property
    def age(self) -> float:
        """Seconds since the last snapshot; before the first, since the job began."""
        return self.observed.clock() - self.observed.last_at


def missing(view: View) -> list[str]:
    """What keeps the numbers from being fresh, one sentence each; empty when ready."""
    found = []
    if view.attendance is not None and view.attendance.missing is not Presence.READY:
        found.append(f"Kafka: {view.attendance.missing.value} is missing")
    if view.letters is not None and view.letters.why:
        found.append(view.letters.why)
    if view.tasks is not None:
        found += view.tasks.faults()
    if view.observed.last is None:
        found.append("there is no snapshot yet")
    elif view.age > max(_STALE_S, STALE_TRIGGERS * view.trigger):
        found.append(f"the last snapshot is {view.age:.0f} s old")
    return found


def notes(view: View) -> list[str]:
    """What a person should know of a job that is healthy, one sentence each."""
    if view.aside is None or not view.aside.records:
        return []
    told = (
        f"{view.aside.records} records of {view.aside.batches} batches could not be counted, and "
        "are set aside as uncountable; see the log and the dead letters"
    )
    return [told]
