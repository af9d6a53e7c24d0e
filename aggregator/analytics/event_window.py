"""Where an event window is, as a snapshot says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWindow:
    """What a snapshot says of the event window.

    Attributes:
        start: its first moment, UTC as text with Z; None before the first reading.
        end: the first moment after it.
        watermark: how far event time has come; what is older than `end` is too late from now on.
        too_late: readings that came too late for it since it began, and are not in it.
        ahead: readings that were too far ahead of their trigger, and are not in it either.
        exact_from: from when on it has all; None where that is all of it.
    """

    start: str | None
    end: str | None
    watermark: str | None
    too_late: int
    ahead: int
    exact_from: str | None
