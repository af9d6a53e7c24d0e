"""The scopes: over which readings the four analytics are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aggregator.analytics.spans import interval
from isotherm.settings.table import text

WINDOW: Final = "window"
SINCE_START: Final = "since_start"
EVENT: Final = "event"
BOTH: Final = "both"

_FINE: Final = 300
"""Seconds up to which an event window slides by one second; a longer one has so many steps at
most."""
_MINUTE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """What a person asked for.

    Attributes:
        names: of the scopes, in the order in which people read them.
        span: of the event window, seconds; None where it is not asked for.
    """

    names: tuple[str, ...]
    span: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliding:
    """The event window: the readings with ``end - span <= event time < end``.

    `end` is the watermark, down to a whole step.

    Attributes:
        span: seconds.
        delay: seconds that the watermark stays behind the highest event time.
        future: seconds that an event time may be ahead of its trigger.
        held: that the window stays a span behind, until it is settled: for who reads a topic again,
            in an order that is not the one in which its readings came.
    """

    span: int
    delay: float
    future: float
    held: bool = False

    @property
    def behind(self) -> float:
        """Seconds from the highest event time to the watermark."""
        return self.delay + (self.span if self.held else 0)

    @property
    def step(self) -> int:
        """By how many seconds it slides: as many as divide the span into 300 steps at most."""
        return next(step for step in range(1, self.span + 1) if self._divides(step))

    def _divides(self, step: int) -> bool:
        return self.span % step == 0 and self.span // step <= _FINE


def scopes(value: Any) -> Scopes:
    """Parser: ``window``, ``since_start``, ``event:SPAN``, or several with commas; or ``both``."""
    names = set()
    span = None
    for part in text(value).split(","):
        name, _, rest = part.strip().partition(":")
        if name == EVENT:
            names.add(EVENT)
            if span not in (None, found := _span(rest)):
                raise ValueError("write one event window")
            span = found
        elif rest or name not in (WINDOW, SINCE_START, BOTH):
            raise ValueError("write window, since_start or event:SPAN, or several with commas")
        else:
            names |= {WINDOW, SINCE_START} if name == BOTH else {name}
    return Scopes(
        names=tuple(name for name in (WINDOW, SINCE_START, EVENT) if name in names), span=span
    )


def _span(value: str) -> int:
    try:
        seconds = interval(value)
    except ValueError as error:
        raise ValueError("write the event window with its span, such as event:5m") from error
    whole = round(seconds)
    if whole != seconds or whole < 1 or (whole > _FINE and whole % _MINUTE):
        raise ValueError(
            "write an event window in whole seconds, and in whole minutes above 5, so that it can "
            "slide by whole seconds"
        )
    return whole
