"""What the demo prints at its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RULE = "-" * 43


def analytics_text(analytics: Mapping[str, Any], now: float) -> str:
    """The four analytics in the reference's layout.

    Args:
        analytics: one scope of a snapshot.
        now: seconds since 1970, for the headers.
    """
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
    blocks = (
        _rows(analytics["average_temperature_by_state"]),
        [f"Total number of messages: {analytics['total_messages']}"],
        _rows(analytics["sensors_by_state"]),
        [f"Total number of sensors: {analytics['total_sensors']}"],
    )
    return "\n".join(
        "\n".join([_RULE, f"Time: {moment}  all of the file", _RULE, *lines, ""])
        for lines in blocks
    )


def rejected_text(by_bridge: Mapping[str, int], by_spark: Mapping[str, int]) -> str:
    """What was rejected, and why."""
    lines = [
        f"  {count} {reason} ({where})"
        for where, reasons in (("dead letter", by_bridge), ("by Spark", by_spark))
        for reason, count in sorted(reasons.items())
    ]
    total = sum(by_bridge.values()) + sum(by_spark.values())
    return "\n".join([f"Rejected: {total}", *lines])


def times_text(total: float, parts: Sequence[tuple[str, float]]) -> str:
    """Where the time went; seconds. The parts run beside each other, so they need not add up."""
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts)
    return f"Time: {total:.1f} s from start to analytics ({spent})"


def _rows(pairs: Sequence[Sequence[object]]) -> list[str]:
    return [str(tuple(pair)) for pair in pairs]
