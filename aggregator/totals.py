"""The four analytics over tables of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.analytics import Analytics, highest_first
from aggregator.beyond import NOTHING

if TYPE_CHECKING:
    import duckdb

    from aggregator.beyond import Beyond
    from aggregator.population import Population


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
        average_temperature_by_state=highest_first(
            (state, total / readings) for state, (total, readings) in sums.items()
        ),
        total_messages=sum(readings for _, readings in sums.values()),
        sensors_by_state=tuple(sorted(sensors.items())),
        total_sensors=population.total + beyond.sensors,
    )
