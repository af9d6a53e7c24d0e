"""What is retained under the topics of alerts when the dashboard connects.

Anyone who may publish there may have put it there. So only a message that an earlier life of the
dashboard could have written is believed, and nothing of its text is repeated: that it is over
is sent in our own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dashboard.alerts.alert import FIRING, RESOLVED, SCHEMA, Alert, encode, wire
from dashboard.alerts.condition import Key
from dashboard.alerts.rules import FLEET
from isotherm.contract.event_time import NS_PER_SECOND, is_event_time, parse_event_time
from isotherm.contract.foreign_json import ForeignJsonError, decode_object, is_finite
from isotherm.contract.states import STATES
from isotherm.mqtt.topics import alert_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashboard.alerts.rules import Rule

MAX_BYTES: Final = 4096
"""Ours have some 400."""
_MOST: Final = 1e12
"""No measure of ours is further from 0."""
_AHEAD: Final = 86_400 * NS_PER_SECOND
"""So far the clock of an earlier life may have been ahead."""


def topics(names: Iterable[str]) -> dict[str, Key]:
    """All topics that alerts of ours may have.

    Args:
        names: of the rules.
    """
    keys = [Key(name, place) for name in names for place in (*STATES, FLEET)]
    return {alert_topic(*key): key for key in keys}


def left_behind(key: Key, payload: bytes, rule: Rule, now: int) -> Alert | None:
    """The alert in a retained message; None where no life of the dashboard can have written it.

    Args:
        key: what its topic says.
        payload: of the message.
        rule: of the key.
        now: nanoseconds since 1970.
    """
    try:
        found = decode_object(payload, max_bytes=MAX_BYTES)
    except ForeignJsonError:
        return None
    same: dict[str, Any] = {
        "schema": SCHEMA,
        "name": key.name,
        "state": key.place,
        "status": FIRING,
        "severity": rule.severity,
        "unit": rule.unit,
    }
    if any(found.get(name) != value for name, value in same.items()):
        return None
    since, at, value = _time(found.get("since")), _time(found.get("at")), found.get("value")
    if since is None or at is None or not 0 <= since <= at <= now + _AHEAD:
        return None
    if value is None or not is_finite(value) or abs(value) > _MOST:
        return None
    return Alert(key=key, since=since, value=float(value))


def over(alert: Alert, rule: Rule, now: int) -> bytes:
    """What says that it is over; its time is not before it began."""
    return encode(wire(alert, rule, status=RESOLVED, at=max(now, alert.since)))


def _time(value: object) -> int | None:
    return parse_event_time(value) if isinstance(value, str) and is_event_time(value) else None
