"""From a snapshot to measures: what is bad in it, and what is good."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from dashboard.alerts.condition import Key, Level, Measure
from dashboard.alerts.rules import (
    COLD,
    FLEET,
    HOT,
    MISSING,
    OFFLINE,
    RECENT,
    REJECTED,
    STALE,
    Limits,
)
from isotherm.contract.event_time import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST: Final = 10_000
"""Counts that are kept: enough for triggers of 0.1 s."""


def of_states(snapshot: Mapping[str, Any], limits: Limits) -> Iterator[Measure]:
    """Temperatures of what arrived, and the shares of sensors that are offline."""
    window = snapshot["scopes"].get("window", {})
    for state, degrees in window.get("average_temperature_by_state", ()):
        yield _measure(HOT, state, degrees, limits.hot, limits.hot - limits.margin)
        # The other way round is the same with the sign turned.
        cold = _level(-degrees, -limits.cold, -limits.cold - limits.margin)
        yield Measure(Key(COLD, state), degrees, cold)
    since_start = snapshot["scopes"].get("since_start")
    if since_start is None or "offline" not in snapshot:
        return
    silent = dict(snapshot["offline"]["by_state"])
    for state, sensors in since_start.get("sensors_by_state", ()):
        share = silent.get(state, 0) / sensors if sensors else 0.0
        yield _measure(OFFLINE, state, share, limits.offline, limits.offline / 2)


def of_staleness(age: float, limits: Limits) -> Measure:
    """How old the last snapshot is.

    Args:
        age: seconds.
        limits: have how old it may be.
    """
    limit = limits.stale / NS_PER_SECOND
    return _measure(STALE, FLEET, age, limit, limit)


class Recent:
    """Counts of the last quarter of an hour, which no single snapshot has."""

    def __init__(self) -> None:
        self._missing: deque[tuple[int, int]] = deque(maxlen=_MOST)
        self._rejected: deque[tuple[int, int]] = deque(maxlen=_MOST)

    def measure(self, snapshot: Mapping[str, Any], at: int) -> Iterator[Measure]:
        """Add a snapshot.

        Args:
            snapshot: the next.
            at: its end, nanoseconds since 1970.
        """
        rejected = sum(snapshot.get("rejected", {}).values())
        if rejected:
            self._rejected.append((at, rejected))
        _forget(self._rejected, at)
        yield _measure(REJECTED, FLEET, sum(count for _, count in self._rejected), 0, 0)
        missing = snapshot.get("audit_since_start", {}).get("missing")
        if missing is None:
            return
        # A start from the beginning: what was missing before is another query's.
        if self._missing and snapshot["batch_id"] in (None, 0):
            self._missing.clear()
        self._missing.append((at, missing))
        _forget(self._missing, at)
        # From the lowest: holes that late readings filled meanwhile are no base to grow from.
        growth = missing - min(count for _, count in self._missing)
        yield _measure(MISSING, FLEET, growth, 0, 0)


def _forget(counts: deque[tuple[int, int]], at: int) -> None:
    while counts and counts[0][0] < at - RECENT:
        counts.popleft()


def _measure(name: str, place: str, value: float, bad: float, good: float) -> Measure:
    return Measure(Key(name, place), value, _level(value, bad, good))


def _level(value: float, bad: float, good: float) -> Level:
    if value > bad:
        return Level.BAD
    return Level.GOOD if value <= good else Level.BETWEEN
