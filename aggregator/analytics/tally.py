"""The tally: what one trigger brought, by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from aggregator.analytics.analytics import Analytics, compute
from aggregator.analytics.audit import Audit, EventTime
from aggregator.analytics.moved import moved_within
from aggregator.analytics.sensor_lists import Moved

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one trigger brought.

    Attributes:
        rows: the workers' rows, an Arrow table with `partial_sums.COLUMNS` and ``position``, their
            order.
        analytics: over what arrived, duplicates included.
        rejected: records by reason.
        audit: what the trigger proves by itself: duplicates within it, and neither expected nor
            missing.
        event_time: None without a reading.
        moved: guids that stand in it with several states.
    """

    rows: Any
    analytics: Analytics
    rejected: Mapping[str, int]
    audit: Audit
    event_time: EventTime | None
    moved: Moved


_SUMS: Final = """
SELECT coalesce(sum(readings) FILTER (epoch IS NOT NULL), 0)
        + count(lost), count(lost),
    coalesce(sum(lost), 0), coalesce(sum(unsynced), 0),
    min(first_event), max(last_event), coalesce(sum(late), 0),
    coalesce(sum(future), 0)
FROM partial
"""

# Rows that are one run each, and of different names, hold no name twice. Equal hashes may be of
# different names; then it is looked for in vain.
_CLEAN: Final = """
SELECT coalesce(max(runs), 1) = 1 AND count(*) = count(DISTINCT hash(guid, epoch))
FROM partial WHERE epoch IS NOT NULL
"""

_DUPLICATES: Final = """
WITH suspect AS (
    SELECT guid, epoch FROM partial WHERE epoch IS NOT NULL
    GROUP BY guid, epoch HAVING sum(runs) > 1),
arrival AS (
    SELECT guid, epoch, lost, unnest(seqs) AS seq
    FROM partial SEMI JOIN suspect USING (guid, epoch)),
name AS (
    SELECT count(*) AS arrivals, greatest(count(lost) - 1, 0) AS gaps_again,
        sum(lost) - max(lost) AS told_again
    FROM arrival GROUP BY guid, epoch, seq)
SELECT coalesce(sum(arrivals - 1), 0), coalesce(sum(gaps_again), 0),
    coalesce(sum(told_again), 0)
FROM name
"""


def tally(rows: Any) -> Tally:
    """Add up the rows that the workers gave.

    Args:
        rows: Arrow table with the columns of `partial_sums.COLUMNS`.
    """
    rows = rows.append_column("position", pa.array(range(rows.num_rows), pa.int64()))
    with _scratch().cursor() as connection:
        connection.register("partial", rows)
        connection.execute("CREATE TEMP VIEW sensor AS FROM partial WHERE reason IS NULL")
        rejected = connection.execute(
            "SELECT reason, sum(readings) FROM partial "
            "WHERE reason IS NOT NULL AND lost IS NULL GROUP BY reason ORDER BY reason"
        ).fetchall()
        (sums,) = connection.execute(_SUMS).fetchall()
        arrived, gaps, lost, unsynced, first, last, late, future = sums
        duplicated, gaps_again, told_again = 0, 0, 0
        if not connection.execute(_CLEAN).fetchall()[0][0]:
            (again,) = connection.execute(_DUPLICATES).fetchall()
            duplicated, gaps_again, told_again = again
        analytics = compute(connection)
        of_states = sum(sensors for _, sensors in analytics.sensors_by_state)
        return Tally(
            rows=rows,
            analytics=analytics,
            # To look for them takes as long as all else.
            moved=moved_within(connection) if of_states > analytics.total_sensors else Moved(),
            rejected=dict(rejected),
            audit=Audit(
                received=arrived - duplicated,
                gaps=gaps - gaps_again,
                explained=lost - told_again,
                duplicated=duplicated,
                unsynced=unsynced,
            ),
            event_time=None
            if first is None
            else EventTime(min=f"{first}Z", max=f"{last}Z", late=late, future=future),
        )


@cache
def _scratch() -> duckdb.DuckDBPyConnection:
    # Opening a database takes 10 ms, a third of a small trigger's sums; a cursor takes none.
    return duckdb.connect()
