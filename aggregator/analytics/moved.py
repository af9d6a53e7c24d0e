"""Which guids were seen in several states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aggregator.analytics.sensor_lists import Moved

if TYPE_CHECKING:
    import duckdb

EXAMPLES: Final = 10
"""How many sensors a snapshot names; the ledger has them all."""


def moved_within(connection: duckdb.DuckDBPyConnection) -> Moved:
    """The guids with several states in the table ``sensor`` of a connection."""
    return moved_in(connection, "sensor")


def moved_in(connection: duckdb.DuckDBPyConnection, table: str) -> Moved:
    """The same in a table of ours."""
    rows = connection.execute(
        "SELECT guid, list(DISTINCT state ORDER BY state), count(*) OVER () "  # noqa: S608 a table of ours
        f"FROM {table} GROUP BY guid HAVING count(DISTINCT state) > 1 ORDER BY guid LIMIT ?",
        [EXAMPLES],
    ).fetchall()
    return Moved(
        total=rows[0][2] if rows else 0,
        sensors=tuple((guid, tuple(states)) for guid, states, _ in rows),
    )
