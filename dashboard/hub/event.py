"""One snapshot as the page has it: with a name of its own, and encoded once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dashboard.feeds.assembly import key
from isotherm.contract.event_time import format_event_time

if TYPE_CHECKING:
    from dashboard.feeds.base import Source


@dataclass(frozen=True, slots=True)
class Event:
    """A snapshot that came.

    Attributes:
        id: says which snapshot it is, whichever process reads it, so that a stream can be resumed
            after a restart.
        received: when the page had it, nanoseconds since 1970.
        snapshot: as the job wrote it; empty once a later one came.
        body: the same in JSON.
    """

    id: str
    received: int
    snapshot: dict[str, Any]
    body: bytes


def event_of(snapshot: dict[str, Any], received: int) -> Event:
    """Name and encode a snapshot."""
    query, batch, end = key(snapshot)
    digest = hashlib.blake2b(f"{query} {batch} {end}".encode(), digest_size=6).hexdigest()
    body = json.dumps(snapshot, separators=(",", ":")).encode()
    return Event(f"{'' if batch is None else batch}-{digest}", received, snapshot, body)


def envelope(event: Event | None, *, now: int, source: Source, stale_after: float) -> bytes:
    """What /api/snapshot answers and a stream sends, as JSON without line feeds.

    Args:
        event: the snapshot; None before the first.
        now: nanoseconds since 1970.
        source: how the feed stands.
        stale_after: seconds.
    """
    head = json.dumps(
        {
            "id": event.id if event else None,
            "now": format_event_time(now),
            "received": format_event_time(event.received) if event else None,
            "source": asdict(source),
            "stale_after_s": stale_after,
        },
        separators=(",", ":"),
    ).encode()
    return b'%s,"snapshot":%s}' % (head[:-1], event.body if event else b"null")


def message(name: str, data: bytes, identifier: str | None = None) -> bytes:
    """A Server-Sent Event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    first = b"" if identifier is None else b"id: %s\n" % identifier.encode()
    return b"%sevent: %s\ndata: %s\n\n" % (first, name.encode(), data)
