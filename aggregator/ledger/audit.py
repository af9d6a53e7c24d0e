"""The ledger's table ``audit``: what a batch has changed, and what holds since the start."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Final

from aggregator.analytics.audit import Counts
from aggregator.analytics.scopes import SINCE_START, WINDOW

if TYPE_CHECKING:
    import duckdb

    from aggregator.analytics.tally import Tally

_PROVEN: Final = """
SELECT (SELECT coalesce(sum(last_seq), 0) FROM sensor)
        + (SELECT coalesce(sum(coalesce(alone, 0)::HUGEINT + beyond), 0) FROM irregular),
    (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM sensor)
        + (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM island),
    (SELECT count(*) FROM gap),
    (SELECT coalesce(sum(explained), 0) FROM irregular),
    (SELECT coalesce(sum(duplicated), 0) FROM irregular)
"""
_COUNTED: Final = tuple(field.name for field in fields(Counts))


def counts(connection: duckdb.DuckDBPyConnection, scope: str) -> Counts:
    """What is counted, since the start or by the last batch; nothing before the first.

    Args:
        connection: the ledger's.
        scope: `WINDOW` or `SINCE_START`.
    """
    rows = connection.execute(
        "SELECT * EXCLUDE (scope) FROM audit WHERE scope = ?", [scope]
    ).fetchall()
    return Counts(**dict(zip(_COUNTED, rows[0], strict=True))) if rows else Counts()


def add(connection: duckdb.DuckDBPyConnection, tally: Tally) -> None:
    """Write both, within the transaction in which the sequences of a batch were added."""
    before = counts(connection, SINCE_START)
    (proven,) = connection.execute(_PROVEN).fetchall()
    expected, received, gaps, explained, duplicated = proven
    event_time = tally.event_time
    now = Counts(
        expected=expected,
        received=received,
        gaps=gaps,
        explained=explained,
        duplicated=duplicated,
        unsynced=before.unsynced + tally.audit.unsynced,
        late=before.late + (event_time.late if event_time else 0),
        future=before.future + (event_time.future if event_time else 0),
    )
    for scope, found in ((SINCE_START, now), (WINDOW, now - before)):
        connection.execute(
            "INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [scope, *astuple(found)],
        )
