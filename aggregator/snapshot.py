"""The snapshot: what one trigger gave, as one immutable object and one JSON line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from contract.moment import format_event_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.analytics import Analytics

SCHEMA: Final = "isotherm.snapshot/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the origins of a trigger's readings prove by themselves.

    Expected, missing and duplicated need every sequence number since the start; they are not given
    until the ledger keeps them, rather than given wrong.

    Attributes:
        received: readings that carry an origin.
        unsynced: those of them whose agent did not trust its clock.
    """

    received: int = 0
    unsynced: int = 0


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
        audit: over this trigger.
        rejected: records of this trigger by reason.
        rejected_since_start: the same from the ledger; None without it.
        event_time: the earliest and latest event time of this trigger; None without a reading.
        lag: offsets behind the topic's end (not records: transactions leave gaps), as of at most a
            second ago; None where that is not known.
        trigger_ms: from the batch in hand to the snapshot: reading, judging, counting, ledger.
    """

    query_id: str
    batch_id: int | None
    start: int
    end: int
    idle: bool
    scopes: Mapping[str, Analytics]
    audit: Audit
    rejected: Mapping[str, int]
    rejected_since_start: Mapping[str, int] | None
    event_time: tuple[str, str] | None
    lag: int | None
    trigger_ms: int


def to_json(snapshot: Snapshot) -> str:
    """The snapshot as one line of JSON, without a newline; `snapshot.schema.json` describes it."""
    wire: dict[str, Any] = {
        "schema": SCHEMA,
        "query_id": snapshot.query_id,
        "batch_id": snapshot.batch_id,
        "window": {
            "start": format_event_time(snapshot.start),
            "end": format_event_time(snapshot.end),
        },
        "idle": snapshot.idle,
        "scopes": {name: asdict(scope) for name, scope in snapshot.scopes.items()},
        "audit": asdict(snapshot.audit),
        "rejected": dict(snapshot.rejected),
    }
    if snapshot.rejected_since_start is not None:
        wire["rejected_since_start"] = dict(snapshot.rejected_since_start)
    first, last = snapshot.event_time or (None, None)
    wire["event_time"] = None if first is None else {"min": first, "max": last}
    wire["lag"] = snapshot.lag
    wire["trigger_ms"] = snapshot.trigger_ms
    return json.dumps(wire, separators=(",", ":"), allow_nan=False)
