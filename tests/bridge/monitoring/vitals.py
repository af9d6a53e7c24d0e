"""Lanes' vitals for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bridge.monitoring.health import Vitals
from bridge.monitoring.stats import Stats


def vitals(**changes: Any) -> Vitals:
    """A lane in good health."""
    good = Vitals(
        client_id="b",
        stats=Stats(),
        pumping=True,
        listening=True,
        subscribed=True,
        kafka=True,
    )
    return replace(good, **changes)
