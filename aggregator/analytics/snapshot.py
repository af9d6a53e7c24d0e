"""The snapshot: what one trigger gave, as one immutable object and one JSON line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.event_time import format_event_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.analytics.analytics import Analytics
    from aggregator.analytics.approximate import Approximate
    from aggregator.analytics.audit import Audit, EventTime
    from aggregator.analytics.event_window import EventWindow
    from aggregator.analytics.sensor_lists import Moved, Offline

SCHEMA: Final = "isotherm.snapshot/1"
REVISION: Final = 1
"""How often fields were added to `SCHEMA`; a reader lets alone what it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one trigger gave; every sink takes a snapshot and nothing else.

    Attributes:
        query_id: Spark's name of the query; stays with its checkpoint.
        batch_id: the micro-batch; None where it had none yet. An idle trigger repeats the last.
        start: nanoseconds since 1970, when the snapshot before was taken.
        end: nanoseconds since 1970, when this trigger's readings were in hand.
        idle: whether no record came.
        scopes: the analytics by scope, in the order in which people read them.
        audit: what this trigger has changed; without the ledger what it proves by itself.
        audit_since_start: what holds since the start; None without the ledger.
        rejected: records of this trigger by reason.
        rejected_since_start: the same from the ledger; None without it.
        event_time: of this trigger; None without a reading.
        event_time_since_start: the same from the ledger.
        moved: guids with several states in this trigger.
        moved_since_start: the same from the ledger.
        offline: sensors that have been silent for long; from the ledger.
        lag: offsets behind the topic's end (not records: transactions leave gaps), as of at most a
            second ago; None where that is not known.
        trigger_ms: from the batch in hand to the snapshot: reading, judging, counting, ledger.
        approximate: how far what holds since the start is an estimate; None while it is exact.
        event_window: where the scope `event` is; None where it is not asked for.
        known_from: the measures that are not of all readings since the start, by their name in a
            scope: when the first trigger came that has them, None before it.
    """

    query_id: str
    batch_id: int | None
    start: int
    end: int
    idle: bool
    scopes: Mapping[str, Analytics]
    audit: Audit
    audit_since_start: Audit | None
    rejected: Mapping[str, int]
    rejected_since_start: Mapping[str, int] | None
    event_time: EventTime | None
    event_time_since_start: EventTime | None
    moved: Moved
    moved_since_start: Moved | None
    offline: Offline | None
    lag: int | None
    trigger_ms: int
    approximate: Approximate | None = None
    event_window: EventWindow | None = None
    known_from: Mapping[str, str | None] = field(default_factory=dict)


def to_json(snapshot: Snapshot) -> str:
    """The snapshot as one line of JSON, without a newline; `snapshot.schema.json` describes it."""
    wire: dict[str, Any] = {
        "schema": SCHEMA,
        "revision": REVISION,
        "query_id": snapshot.query_id,
        "batch_id": snapshot.batch_id,
        "window": {
            "start": format_event_time(snapshot.start),
            "end": format_event_time(snapshot.end),
        },
        "idle": snapshot.idle,
        "scopes": {name: scope.wire() for name, scope in snapshot.scopes.items()},
        "audit": _audit(snapshot.audit),
    }
    if snapshot.audit_since_start is not None:
        wire["audit_since_start"] = _audit(snapshot.audit_since_start)
    wire["rejected"] = dict(snapshot.rejected)
    if snapshot.rejected_since_start is not None:
        wire["rejected_since_start"] = dict(snapshot.rejected_since_start)
    wire["event_time"] = _event_time(snapshot.event_time)
    if snapshot.audit_since_start is not None:
        wire["event_time_since_start"] = _event_time(snapshot.event_time_since_start)
    wire["moved"] = _moved(snapshot.moved)
    if snapshot.moved_since_start is not None:
        wire["moved_since_start"] = _moved(snapshot.moved_since_start)
    if snapshot.offline is not None:
        wire["offline"] = asdict(snapshot.offline)
    if snapshot.approximate is not None:
        wire["approximate"] = asdict(snapshot.approximate)
    if snapshot.event_window is not None:
        wire["event_window"] = asdict(snapshot.event_window)
    if snapshot.known_from:
        wire["known_from"] = dict(snapshot.known_from)
    wire["lag"] = snapshot.lag
    wire["trigger_ms"] = snapshot.trigger_ms
    return json.dumps(wire, separators=(",", ":"), allow_nan=False)


def _audit(audit: Audit) -> dict[str, int]:
    return {name: count for name, count in asdict(audit).items() if count is not None}


def _moved(moved: Moved) -> dict[str, Any]:
    sensors = [{"guid": guid, "states": states} for guid, states in moved.sensors]
    return {"total": moved.total, "sensors": sensors}


def _event_time(event_time: EventTime | None) -> dict[str, Any] | None:
    return None if event_time is None else asdict(event_time)
