"""The console: the reference's layout, a header above each of the four analytics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aggregator.settings import SINCE_START
from contract.moment import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.analytics import Analytics
    from aggregator.beyond import Approximate
    from aggregator.snapshot import Snapshot

_RULE: Final = "-" * 43


def render(snapshot: Snapshot) -> str:
    """The text of one trigger; times are UTC.

    A trigger without data is one block that says so.
    """
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(snapshot.end // NS_PER_SECOND))
    if snapshot.idle:
        return _block(moment, ["No new messages"])
    text = ""
    for scope, analytics in snapshot.scopes.items():
        since_start = scope == SINCE_START
        title = f"{moment}  since start" if since_start else moment
        rejected = snapshot.rejected_since_start if since_start else snapshot.rejected
        text += _scope(title, analytics, rejected or {})
        if since_start and snapshot.approximate is not None:
            text += _block(title, [f"Approximate: {in_words(snapshot.approximate)}"])
    return text


def in_words(approximate: Approximate) -> str:
    """How far the numbers since the start are an estimate, in one line."""
    beyond = approximate.beyond
    return (
        f"about {beyond.sensors:,} sensors beyond the {approximate.ledger_sensors:,} of the "
        f"ledger, within {approximate.relative_error:.1%} ({approximate.confidence:.0%} sure), in "
        f"{beyond.messages:,} messages, duplicates included"
    )


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
