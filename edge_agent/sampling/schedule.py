"""When which probe is due: a fixed grid per interval that never drifts."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Schedule:
    """The ticks of a board's probes.

    The nth tick of an interval lies at start + n · interval, however long the work before it took.
    Ticks that were slept through (a suspended board) are not made up for: a probe cannot be read
    in the past.

    Args:
        intervals: seconds between two readings, one per probe.
        start: of the grid, seconds of a monotonic clock; all probes are due then.
    """

    def __init__(self, intervals: Sequence[float], start: float) -> None:
        groups: dict[float, list[int]] = {}
        for probe, interval in enumerate(intervals):
            groups.setdefault(interval, []).append(probe)
        self._start = start
        self._groups = groups
        self._heap = [(start, 0, interval) for interval in groups]
        heapq.heapify(self._heap)

    @property
    def next_tick(self) -> float:
        """When the next probe is due, seconds of the same clock."""
        return self._heap[0][0]

    def due(self, now: float) -> list[int]:
        """The probes, as places in `intervals`, whose tick has come; each only once."""
        found: set[int] = set()
        while self._heap[0][0] <= now:
            _, tick, interval = self._heap[0]
            found.update(self._groups[interval])
            tick = max(tick, int((now - self._start) / interval)) + 1
            heapq.heapreplace(self._heap, (self._start + tick * interval, tick, interval))
        return sorted(found)
