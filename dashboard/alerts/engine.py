"""Snapshots and moments in, what is firing out; no I/O and no clock of its own.

Hold times go by the ends of the snapshots, so that reading the last hour back after a restart
comes to what was known before it. Only the age of the last snapshot goes by when it was received:
the clocks of two machines may differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dashboard.alerts.alert import Alert
from dashboard.alerts.condition import Condition, Conditions, Transition, advance
from dashboard.alerts.measures import Recent, of_staleness, of_states
from dashboard.alerts.rules import Limits, rules
from isotherm.contract.event_time import NS_PER_SECOND, parse_event_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_AHEAD: Final = 300 * NS_PER_SECOND
"""So far the job's clock may be ahead of ours."""


class Engine:
    """Keeps the state of each condition.

    Args:
        limits: from the settings.
        known: alerts that were firing before a restart.
        began: when it begins, nanoseconds since 1970; the first snapshot is due from then on.
    """

    def __init__(self, limits: Limits, *, known: Iterable[Alert] = (), began: int) -> None:
        self.rules = rules(limits)
        self._limits = limits
        self._conditions: Conditions = {
            alert.key: Condition(on=True, changed=alert.since, value=alert.value, since=alert.since)
            for alert in known
            if alert.key.name in self.rules
        }
        self._recent = Recent()
        self._received = began
        self._end = 0

    def snapshot(self, snapshot: Mapping[str, Any], received: int) -> list[Transition]:
        """Apply the next snapshot.

        Args:
            snapshot: as the job wrote it.
            received: when it came, nanoseconds since 1970.
        """
        self._received = received
        # Where the job's clock was set back, hold times wait until it has caught up; an end far in
        # the future must not make them wait that long.
        ended = min(parse_event_time(snapshot["window"]["end"]), received + _AHEAD)
        self._end = end = max(self._end, ended)
        measures = [*of_states(snapshot, self._limits), *self._recent.measure(snapshot, end)]
        self._conditions, changes = advance(self._conditions, measures, end, self.rules)
        return changes + self.tick(received)

    def tick(self, now: int) -> list[Transition]:
        """Apply the age of the last snapshot; to be called about once a second.

        Args:
            now: nanoseconds since 1970.
        """
        age = max(now - self._received, 0) / NS_PER_SECOND
        stale = [of_staleness(age, self._limits)]
        self._conditions, changes = advance(self._conditions, stale, now, self.rules)
        return changes

    @property
    def end(self) -> int:
        """The end of the newest snapshot, nanoseconds since 1970; 0 before the first."""
        return self._end

    def firing(self) -> list[Alert]:
        """The alerts that are firing, the oldest first."""
        found = [
            Alert(key=key, since=condition.since, value=condition.value)
            for key, condition in self._conditions.items()
            if condition.since is not None
        ]
        return sorted(found, key=lambda alert: (alert.since, alert.key))
