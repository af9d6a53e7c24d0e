"""What the job has done so far, for whoever looks over HTTP."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.analytics.snapshot import Snapshot


@dataclass(slots=True)
class Observed:
    """A sink that counts, and what Spark says of its triggers.

    Each value is written by one thread; whoever reads sees each as of now, but not all as of one
    moment. Counts begin at 0 with each start of the job.

    Args:
        clock: seconds, monotonic.

    Attributes:
        last: the last snapshot.
        last_at: when it came, seconds of `clock`; before the first, when the job began.
        triggers: those with records.
        idle: those without.
        rejected: records by reason; a replayed trigger's twice.
        busy_s: how long all snapshots took, seconds.
        spark_s: how long Spark's last trigger took with all that it does itself, seconds.
        records: read by Spark in all its triggers.
        restarts: how often the query was started again.
    """

    clock: Callable[[], float] = time.monotonic
    last: Snapshot | None = None
    last_at: float = 0.0
    triggers: int = 0
    idle: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    busy_s: float = 0.0
    spark_s: float = 0.0
    records: int = 0
    restarts: int = 0

    def __post_init__(self) -> None:
        self.last_at = self.clock()

    def emit(self, snapshot: Snapshot) -> None:
        """Count it."""
        self.last, self.last_at = snapshot, self.clock()
        if snapshot.idle:
            self.idle += 1
            return
        self.triggers += 1
        self.rejected.update(snapshot.rejected)
        self.busy_s += snapshot.trigger_ms / 1000

    def close(self) -> None:
        """Nothing is open."""
