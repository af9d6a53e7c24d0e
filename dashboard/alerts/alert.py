"""The alert as the world sees it; `alert.schema.json` describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from isotherm.contract.event_time import format_event_time

if TYPE_CHECKING:
    from dashboard.alerts.condition import Key
    from dashboard.alerts.rules import Rule

SCHEMA: Final = "isotherm.alert/1"
HELP: Final = "docs/operations/runbook.md#"
FIRING: Final = "firing"
RESOLVED: Final = "resolved"


class Alert(NamedTuple):
    """One that is firing.

    Attributes:
        key: which.
        since: when the problem began, nanoseconds since 1970.
        value: of the last measure, in the rule's unit.
    """

    key: Key
    since: int
    value: float


def wire(alert: Alert, rule: Rule, *, status: str, at: int, again: bool = False) -> dict[str, Any]:
    """The alert as one JSON object.

    Args:
        alert: which.
        rule: its row.
        status: ``firing`` or ``resolved``.
        at: when this is sent, nanoseconds since 1970.
        again: whether it was sent before.
    """
    return {
        "schema": SCHEMA,
        "name": alert.key.name,
        "state": alert.key.place,
        "status": status,
        "severity": rule.severity,
        "since": format_event_time(alert.since),
        "at": format_event_time(at),
        "again": again,
        "value": round(alert.value, 4),
        "unit": rule.unit,
        "summary": rule.summary.format(place=alert.key.place, value=alert.value),
        "help": HELP + rule.section,
    }


def encode(message: dict[str, Any]) -> bytes:
    """As one line of JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
