"""What happens to the demo's board, and when."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

PERIOD: Final = 180.0
"""Seconds after which all of it happens again."""


class Happening(StrEnum):
    """One thing that happens."""

    DISTURBED = "its 1-wire sensor gives wrong checksums: crc faults, and no readings"
    UNPLUGGED = "it loses its network: its readings wait in its outbox, its sensors go offline"
    PLUGGED = "it has its network again: the backlog comes beside the live readings"
    MENDED = "its 1-wire sensor is well again"


PLAN: Final = (
    (8.0, Happening.DISTURBED),
    (12.0, Happening.UNPLUGGED),
    (40.0, Happening.PLUGGED),
    (60.0, Happening.MENDED),
)
"""Seconds after the start of a period; the first begins with the first snapshot."""


def due(before: float, now: float) -> list[Happening]:
    """What happens after `before` and not after `now`, both seconds since the plan began."""
    found = []
    for period in range(int(before // PERIOD), int(now // PERIOD) + 1):
        found += [what for at, what in PLAN if before < period * PERIOD + at <= now]
    return found
