"""The four analytics, over any table whose rows add up: the workers' or the ledger's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.ledger.overflow import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from aggregator.ledger.overflow import Beyond
    from aggregator.ledger.population import Population


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
        average_temperature_by_state=_highest_first(
            (state, average) for state, average, _, _ in by_state
        ),
        total_messages=sum(readings for _, _, readings, _ in by_state),
        sensors_by_state=tuple((state, sensors) for state, _, _, sensors in by_state),
        total_sensors=total_sensors,
    )


def compute_ledger(
    connection: duckdb.DuckDBPyConnection,
    population: Population,
    beyond: Beyond = NOTHING,
    table: str = "sensor",
) -> Analytics:
    """The four analytics over a table of the ledger, whose guids are counted already.

    Args:
        connection: the ledger's.
        population: the sensors of that table.
        beyond: what came of others; those are never among the former.
        table: its name.
    """
    by_state = connection.execute(
        f"SELECT state, fsum(total), sum(readings) FROM {table} GROUP BY state"  # noqa: S608 a table of ours
    ).fetchall()
    sums = {state: (total, readings) for state, total, readings in by_state}
    sensors = dict(population.by_state)
    for state, outside in beyond.by_state.items():
        total, readings = sums.get(state, (0.0, 0))
        sums[state] = (total + outside.total, readings + outside.readings)
        sensors[state] = sensors.get(state, 0) + outside.sensors
    return Analytics(
        average_temperature_by_state=_highest_first(
            (state, total / readings) for state, (total, readings) in sums.items()
        ),
        total_messages=sum(readings for _, readings in sums.values()),
        sensors_by_state=tuple(sorted(sensors.items())),
        total_sensors=population.total + beyond.sensors,
    )


def _highest_first(averages: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(averages, key=lambda row: (-row[1], row[0])))
