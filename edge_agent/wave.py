"""The daily wave of a simulated place's temperature, by the clocks of its state."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WARMEST: Final = 15.0
"""The hour of the day at which it is warmest."""
_HOURS: Final = 24.0
_BY_OFFSET: Final = {
    -5: "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
    -6: "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    -7: "AZ CO ID MT NM UT WY",
    -8: "CA NV OR WA",
    -9: "AK",
    -10: "HI",
}
UTC_OFFSET: Final = MappingProxyType(
    {state: offset for offset, states in _BY_OFFSET.items() for state in states.split()}
)
"""Hours of each state's standard time, where most of its people live (49 CFR part 71)."""


class Wave:
    """How much warmer than the day's mean it is, degrees Fahrenheit.

    Args:
        state: one of the 51 codes.
        swing: degrees Fahrenheit between the mean and the warmest.
        day: how long a day takes, seconds; a short one can be watched.
        clock: the system clock, nanoseconds since 1970.
    """

    def __init__(self, state: str, *, swing: float, day: float, clock: Callable[[], int]) -> None:
        self._swing = swing
        self._day_ns = day * 1e9
        self._phase = (UTC_OFFSET[state] - WARMEST) / _HOURS
        self._clock = clock

    def __call__(self) -> float:
        """Now."""
        if not self._swing:
            return 0.0
        turns = self._clock() / self._day_ns + self._phase
        return self._swing * math.cos(2.0 * math.pi * turns)
