"""The one line that the demo shows beside the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def pulse(snapshot: Mapping[str, Any] | None, address: str | None) -> str:
    """How it goes, by the last snapshot.

    Args:
        snapshot: None before the first.
        address: of the page; None without one.
    """
    where = "" if address is None else f"   {address}"
    if snapshot is None:
        return f"Spark is starting{where}"
    counted = snapshot["scopes"]["since_start"]
    offline = snapshot.get("offline", {}).get("total", 0)
    rejected = sum(snapshot.get("rejected_since_start", {}).values())
    return (
        f"{counted['total_messages']:,} readings of {counted['total_sensors']:,} sensors, "
        f"{offline} offline, {rejected} rejected{where}"
    )
