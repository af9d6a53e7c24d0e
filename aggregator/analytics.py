"""The four analytics over one scope, and how they come from the workers' rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb


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


def compute(connection: duckdb.DuckDBPyConnection) -> Analytics:
    """The four analytics over the table ``sensor`` of a connection.

    Sums are Kahan sums (DuckDB's ``fsum``), so that an average does not depend on the order.
    """
    by_state = connection.execute(
        "SELECT state, fsum(total) / sum(readings), sum(readings), count(DISTINCT guid) "
        "FROM sensor GROUP BY state ORDER BY state"
    ).fetchall()
    (total_sensors,) = connection.execute("SELECT count(DISTINCT guid) FROM sensor").fetchall()[0]
    return Analytics(
        average_temperature_by_state=highest_first(
            (state, average) for state, average, _, _ in by_state
        ),
        total_messages=sum(readings for _, _, readings, _ in by_state),
        sensors_by_state=tuple((state, sensors) for state, _, _, sensors in by_state),
        total_sensors=total_sensors,
    )


def highest_first(averages: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """(state, average) as the analytics have them: the highest first, ties by state."""
    return tuple(sorted(averages, key=lambda row: (-row[1], row[0])))
