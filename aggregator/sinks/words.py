"""What console and table say of a scope in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aggregator.analytics.approximate import Approximate
    from aggregator.analytics.event_window import EventWindow

_DAY: Final = len("2016-11-16")
_SECOND: Final = len("2016-11-16T13:26:39")


def in_words(approximate: Approximate) -> str:
    """How far the numbers since the start are an estimate, in one line."""
    beyond = approximate.beyond
    return (
        f"about {beyond.sensors:,} sensors beyond the {approximate.ledger_sensors:,} of the "
        f"ledger, within {approximate.relative_error:.1%} ({approximate.confidence:.0%} sure), in "
        f"{beyond.messages:,} messages, duplicates included"
    )


def span_text(window: EventWindow) -> str:
    """Which event times a window has, to the second, UTC."""
    if window.start is None or window.end is None:
        return "by event time: no reading yet"
    start, end = (moment[:_SECOND].replace("T", " ") for moment in (window.start, window.end))
    same_day = start[:_DAY] == end[:_DAY]
    text = f"event time {start} to {end[_DAY + 1 :] if same_day else end}"
    if window.exact_from is not None:
        text += f", exact from {window.exact_from[:_SECOND].replace('T', ' ')}"
    return text


def left_out_text(window: EventWindow) -> str:
    """What is in no window, of all that came; empty where nothing is."""
    counts = ((window.too_late, "too late"), (window.ahead, "too far ahead"))
    found = ", ".join(f"{count:,} {why}" for count, why in counts if count)
    return f"Left out since it began: {found}" if found else ""
