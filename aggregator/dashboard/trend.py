"""Averages by state over the last hour, in steps, for lines."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from contract.moment import NS_PER_SECOND, format_event_time, parse_event_time

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT_S: Final = 3600
STEP_S: Final = 10
MINUTES: Final = KEPT_S // 60


class _Point(NamedTuple):
    at: float
    averages: Mapping[str, Mapping[str, float]]
    messages: int | None


class Trend:
    """Keeps what the lines need of each snapshot."""

    def __init__(self) -> None:
        self._points: deque[_Point] = deque()

    def add(self, snapshot: Mapping[str, Any]) -> None:
        """Take a snapshot; its time is that of its end."""
        at = parse_event_time(snapshot["window"]["end"]) / NS_PER_SECOND
        scopes: Mapping[str, Any] = snapshot["scopes"]
        averages = {
            name: dict(found["average_temperature_by_state"]) for name, found in scopes.items()
        }
        window = scopes.get("window")
        point = _Point(at, averages, window["total_messages"] if window else None)
        for place, known in enumerate(self._points):
            if known.at == at:
                # The same with one more scope.
                self._points[place] = point
                return
        self._points.append(point)
        while self._points[0].at < at - KEPT_S:
            self._points.popleft()

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
        for point in self._points:
            place = int(point.at // STEP_S) - first
            if not 0 <= place < count:
                continue
            for scope, averages in point.averages.items():
                states = series.setdefault(scope, {})
                for state, average in averages.items():
                    states.setdefault(state, [None] * count)[place] = average
            if point.messages is not None:
                messages[place] = (messages[place] or 0) + point.messages
        return {
            "step_s": STEP_S,
            "times": [
                format_event_time((first + place) * STEP_S * NS_PER_SECOND)
                for place in range(count)
            ],
            "scopes": series,
            "totals": {"messages": messages},
        }
