"""Averages by state over the last hour, in steps, for lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dashboard.feeds.assembly import Key, key
from isotherm.contract.event_time import NS_PER_SECOND, format_event_time, parse_event_time

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT_S: Final = 3600
STEP_S: Final = 10
MINUTES: Final = KEPT_S // 60
_STEPS: Final = KEPT_S // STEP_S
_REMEMBERED: Final = 64


class _Step:
    """What is known of one step: of each scope and state the last average, and all messages."""

    __slots__ = ("messages", "scopes")

    def __init__(self) -> None:
        self.scopes: dict[str, dict[str, float]] = {}
        self.messages: int | None = None


class Trend:
    """Keeps what the lines need of each snapshot: a bounded number of steps, whatever comes."""

    def __init__(self) -> None:
        self._steps: dict[int, _Step] = {}
        self._counted: dict[Key, int] = {}

    def add(self, snapshot: Mapping[str, Any], now: float) -> None:
        """Take a snapshot; its time is that of its end.

        Args:
            snapshot: as the job wrote it; it may come again with one more scope.
            now: seconds since 1970.
        """
        at = parse_event_time(snapshot["window"]["end"]) / NS_PER_SECOND
        step = self._steps.setdefault(int(at // STEP_S), _Step())
        scopes: Mapping[str, Any] = snapshot["scopes"]
        for name, found in scopes.items():
            step.scopes.setdefault(name, {}).update(found["average_temperature_by_state"])
        window = scopes.get("window")
        if window is not None:
            self._count(step, key(dict(snapshot)), window["total_messages"])
        self._forget(int(now // STEP_S))

    def _count(self, step: _Step, name: Key, messages: int) -> None:
        step.messages = (step.messages or 0) + messages - self._counted.pop(name, 0)
        self._counted[name] = messages
        for old in list(self._counted)[:-_REMEMBERED]:
            del self._counted[old]

    def _forget(self, now: int) -> None:
        for number in [number for number in self._steps if number < now - _STEPS]:
            del self._steps[number]
        # Clocks may be anywhere: no more than two hours are kept, those around now.
        while len(self._steps) > 2 * _STEPS:
            del self._steps[max(self._steps, key=lambda number: abs(number - now))]

    def history(self, now: float, minutes: int = MINUTES) -> dict[str, Any]:
        """What /api/history answers.

        Args:
            now: seconds since 1970.
            minutes: how far back, 1 to 60.
        """
        last = int(now // STEP_S)
        count = minutes * 60 // STEP_S
        first = last - count + 1
        series: dict[str, dict[str, list[float | None]]] = {}
        messages: list[int | None] = [None] * count
        for place in range(count):
            step = self._steps.get(first + place)
            if step is None:
                continue
            messages[place] = step.messages
            for scope, averages in step.scopes.items():
                states = series.setdefault(scope, {})
                for state, average in averages.items():
                    states.setdefault(state, [None] * count)[place] = average
        return {
            "step_s": STEP_S,
            "times": [
                format_event_time((first + place) * STEP_S * NS_PER_SECOND)
                for place in range(count)
            ],
            "scopes": series,
            "totals": {"messages": messages},
        }
