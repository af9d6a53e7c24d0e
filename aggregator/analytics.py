"""The four analytics, and the table of sensors from which they are computed.

Window and ledger have the same table, so one query serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from aggregator.partials import GAPS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytics:
    """The four analytics over one scope.

    Attributes:
        average_temperature_by_state: (state, degrees Fahrenheit), highest first, ties by state.
        total_messages: valid readings.
        sensors_by_state: (state, distinct sensors), by state. A sensor seen in two states counts
            in both.
        total_sensors: distinct sensors in all; one seen in two states counts once.
    """

    average_temperature_by_state: tuple[tuple[str, float], ...] = ()
    total_messages: int = 0
    sensors_by_state: tuple[tuple[str, int], ...] = ()
    total_sensors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one trigger brought.

    Attributes:
        sensors: Arrow table, one row per (state, guid, epoch), columns as in `partials.COLUMNS`
            without the reason; ``epoch`` is empty without an origin.
        analytics: over these sensors.
        rejected: records by reason.
        received: readings that carry an origin.
        unsynced: those of them whose agent did not trust its clock.
        event_time: the earliest and the latest, as text with Z; None without a reading.
        gaps: records that say which readings were dropped.
        explained: the readings that they say were dropped; a gap that came twice counts twice.
    """

    sensors: Any
    analytics: Analytics
    rejected: Mapping[str, int]
    received: int
    unsynced: int
    event_time: tuple[str, str] | None
    gaps: int
    explained: int


def compute(connection: duckdb.DuckDBPyConnection) -> Analytics:
    """The four analytics over the table ``sensor`` of a connection.

    Sums are Kahan sums (DuckDB's ``fsum``), so that an average does not depend on the order.
    """
    by_state = connection.execute(
        "SELECT state, fsum(total) / sum(readings), sum(readings)::BIGINT, count(DISTINCT guid) "
        "FROM sensor GROUP BY state ORDER BY state"
    ).fetchall()
    (total_sensors,) = connection.execute("SELECT count(DISTINCT guid) FROM sensor").fetchall()[0]
    averages = [(state, average) for state, average, _, _ in by_state]
    return Analytics(
        average_temperature_by_state=tuple(sorted(averages, key=lambda row: (-row[1], row[0]))),
        total_messages=sum(readings for _, _, readings, _ in by_state),
        sensors_by_state=tuple((state, sensors) for state, _, _, sensors in by_state),
        total_sensors=total_sensors,
    )


def tally(partials: Any) -> Tally:
    """Add up the rows that the workers gave.

    Args:
        partials: Arrow table with the columns of `partials.COLUMNS`.
    """
    with duckdb.connect() as connection:
        connection.register("partial", partials)
        connection.execute(
            "CREATE TABLE sensor AS SELECT state, guid, coalesce(epoch, '') AS epoch, "
            "sum(readings)::BIGINT AS readings, fsum(total) AS total, "
            "min(min_seq) AS min_seq, max(max_seq) AS max_seq, "
            "min(first_event) AS first_event, max(last_event) AS last_event, "
            "sum(unsynced)::BIGINT AS unsynced "
            "FROM partial WHERE reason IS NULL GROUP BY ALL"
        )
        others = connection.execute(
            "SELECT reason, sum(readings)::BIGINT, sum(total)::BIGINT FROM partial "
            "WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason"
        ).fetchall()
        rejected = {reason: records for reason, records, _ in others}
        gaps = rejected.pop(GAPS, 0)
        received, unsynced, first, last = connection.execute(
            "SELECT coalesce(sum(readings) FILTER (epoch <> ''), 0)::BIGINT, "
            "coalesce(sum(unsynced), 0)::BIGINT, min(first_event), max(last_event) FROM sensor"
        ).fetchall()[0]
        return Tally(
            sensors=connection.table("sensor").to_arrow_table(),
            analytics=compute(connection),
            rejected=rejected,
            received=received,
            unsynced=unsynced,
            event_time=None if first is None else (f"{first}Z", f"{last}Z"),
            gaps=gaps,
            explained=sum(lost for reason, _, lost in others if reason == GAPS),
        )
