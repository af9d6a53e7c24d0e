"""The sensors of one state, out of the ledger, for whoever asks over HTTP while the job runs.

DuckDB gives each cursor the last committed batch (https://duckdb.org/docs/stable/connect/concurrency),
so nobody waits: neither who asks for the batch in hand, nor that for them.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final

from aggregator.ledger.population import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import duckdb

MOST: Final = 200
"""Sensors in one answer: as many as a person can look at."""

_OF_STATE: Final = """
SELECT guid, sum(readings), fsum(total) / sum(readings), max(last_seen), max(last_event),
    count(*) OVER ()
FROM sensor WHERE state = ? AND readings > 0
GROUP BY guid ORDER BY max(last_seen) >= ?, guid LIMIT ?
"""


class Sensors:
    """Asks the ledger; from any thread, one at a time.

    Args:
        connection: the ledger's.
        silent_before: who was last seen before this, UTC, is offline.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, silent_before: Callable[[], datetime]
    ) -> None:
        self._cursor = connection.cursor()
        self._silent_before = silent_before
        self._one_at_a_time = threading.Lock()

    def of_state(self, state: str, most: int = MOST) -> dict[str, Any]:
        """The sensors of a state, those that are offline first.

        Args:
            state: one of the 51.
            most: how many at most.

        Returns:
            `state`, `total`, and the `sensors` with guid, readings since the start, their average
            in degrees Fahrenheit, last_seen and last_event (UTC), and whether they are offline.
        """
        limit = self._silent_before()
        with self._one_at_a_time:
            rows = self._cursor.execute(_OF_STATE, [state, limit, most]).fetchall()
        return {
            "state": state,
            "total": rows[0][-1] if rows else 0,
            "sensors": [
                {
                    "guid": guid,
                    "readings": readings,
                    "average_temperature": average,
                    "last_seen": text(seen),
                    "last_event": text(event),
                    "offline": seen < limit,
                }
                for guid, readings, average, seen, event, _ in rows
            ],
        }


def as_json(found: dict[str, Any]) -> str:
    """One line."""
    return json.dumps(found, separators=(",", ":")) + "\n"
