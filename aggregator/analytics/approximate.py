"""How far the numbers of a snapshot are an estimate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """What a snapshot says of the sensors beyond the capacity; attributes as in `beyond.Beyond`."""

    messages: int
    gaps: int
    sensors: int
    sensors_by_state: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approximate:
    """How far the numbers since the start are an estimate; all else in them is exact.

    Attributes:
        ledger_sensors: sensors with rows of their own; audit, moved and offline are of these alone.
        beyond: what came of the others. It is part of the analytics.
        relative_error: how far the estimates of `beyond` may be from the truth, as a share of it,
            and one sensor more.
        confidence: in how many cases they are not further.
    """

    ledger_sensors: int
    beyond: Uncertain
    relative_error: float
    confidence: float
