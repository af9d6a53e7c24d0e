"""The console: the reference's layout, a header above each of the four analytics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aggregator.analytics.scopes import EVENT, SINCE_START
from isotherm.contract.event_time import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.analytics.analytics import Analytics
    from aggregator.analytics.snapshot import Snapshot
    from aggregator.ledger.event_window import EventWindow
    from aggregator.ledger.overflow import Approximate

_RULE: Final = "-" * 43
_DAY: Final = len("2016-11-16")
_SECOND: Final = len("2016-11-16T13:26:39")


def render(snapshot: Snapshot) -> str:
    """The text of one trigger; times are UTC.

    A trigger without data is one block that says so.
    """
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(snapshot.end // NS_PER_SECOND))
    if snapshot.idle:
        return _block(moment, ["No new messages"])
    text = ""
    for scope, analytics in snapshot.scopes.items():
        title = moment
        rejected: Mapping[str, int] | None = snapshot.rejected
        left_out = ""
        if scope == SINCE_START:
            title += "  since start"
            rejected = snapshot.rejected_since_start
        elif snapshot.event_window is not None and scope == EVENT:
            title += f"  {span_text(snapshot.event_window)}"
            # What is no reading has no event time.
            rejected = None
            left_out = left_out_text(snapshot.event_window)
        text += _scope(title, analytics, rejected or {})
        if scope == SINCE_START and snapshot.approximate is not None:
            text += _block(title, [f"Approximate: {in_words(snapshot.approximate)}"])
        if left_out:
            text += _block(title, [left_out])
    return text


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


def _scope(title: str, analytics: Analytics, rejected: Mapping[str, int]) -> str:
    blocks: list[list[str]] = [
        [str(row) for row in analytics.average_temperature_by_state],
        [f"Total number of messages: {analytics.total_messages}"],
        [str(row) for row in analytics.sensors_by_state],
        [f"Total number of sensors: {analytics.total_sensors}"],
    ]
    if rejected:
        counts = ", ".join(f"{records} {reason}" for reason, records in rejected.items())
        blocks.append([f"Rejected: {counts}"])
    return "".join(_block(title, lines) for lines in blocks)


def _block(title: str, lines: Iterable[str]) -> str:
    return "\n".join([_RULE, f"Time: {title}", _RULE, *lines, "", ""])
