"""What is alerted on: one row for each alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from isotherm.contract.event_time import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

FLEET: Final = "fleet"
"""The place of an alert that is about no single state."""

CRITICAL: Final = "critical"
WARNING: Final = "warning"

HOT: Final = "state-too-hot"
COLD: Final = "state-too-cold"
OFFLINE: Final = "sensors-offline"
MISSING: Final = "readings-missing"
REJECTED: Final = "records-rejected"
STALE: Final = "snapshot-stale"

_MINUTE: Final = 60 * NS_PER_SECOND
RECENT: Final = 15 * _MINUTE
"""Missing and rejected readings are those of so long, nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits from the settings.

    Attributes:
        hot: a state's average above it is too hot, degrees Fahrenheit.
        cold: one below it is too cold.
        margin: how far it must be back behind the limit to be good again, degrees Fahrenheit.
        offline: a share of a state's sensors, 0 to 1; more is bad, half of it is good.
        hold: how long it must be too hot or too cold, nanoseconds.
        stale: how old a snapshot may be, nanoseconds.
    """

    hot: float = 110.0
    cold: float = -20.0
    margin: float = 3.0
    offline: float = 0.1
    hold: int = 10 * _MINUTE
    stale: int = 10 * NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row.

    Attributes:
        name: part of topics, so it never changes.
        severity: ``critical`` loses readings or shows wrong numbers; ``warning`` can wait.
        unit: of its values.
        hold: how long the problem must last to fire, nanoseconds.
        calm: how long all must be good for it to be over, nanoseconds.
        summary: a sentence with ``{place}`` and ``{value}``.
        section: of docs/operations/runbook.md, which says what to do.
    """

    name: str
    severity: str
    unit: str
    hold: int
    calm: int
    summary: str
    section: str


def rules(limits: Limits) -> Mapping[str, Rule]:
    """All rows by name."""
    table = (
        Rule(
            name=HOT,
            severity=WARNING,
            unit="fahrenheit",
            hold=limits.hold,
            calm=5 * _MINUTE,
            summary=f"{{place}} has {{value:.1f}} °F on average; the limit is {limits.hot:g} °F",
            section="a-state-is-too-hot-or-too-cold",
        ),
        Rule(
            name=COLD,
            severity=WARNING,
            unit="fahrenheit",
            hold=limits.hold,
            calm=5 * _MINUTE,
            summary=f"{{place}} has {{value:.1f}} °F on average; the limit is {limits.cold:g} °F",
            section="a-state-is-too-hot-or-too-cold",
        ),
        Rule(
            name=OFFLINE,
            severity=WARNING,
            unit="share",
            hold=5 * _MINUTE,
            calm=_MINUTE,
            summary="{value:.0%} of the sensors in {place} are offline",
            section="sensors-are-offline",
        ),
        Rule(
            name=MISSING,
            severity=CRITICAL,
            unit="readings",
            hold=10 * _MINUTE,
            calm=0,
            summary="{value:.0f} readings are missing that were sent in the last 15 minutes",
            section="readings-are-missing",
        ),
        Rule(
            name=REJECTED,
            severity=WARNING,
            unit="records",
            hold=0,
            calm=0,
            summary="{value:.0f} records of the last 15 minutes are no readings",
            section="records-are-rejected",
        ),
        Rule(
            name=STALE,
            severity=CRITICAL,
            unit="seconds",
            hold=30 * NS_PER_SECOND,
            calm=_MINUTE,
            summary="the last snapshot is {value:.0f} s old",
            section="the-snapshot-is-stale",
        ),
    )
    return {rule.name: rule for rule in table}
