"""The analytics over tables of the ledger, whose guids are counted already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.analytics.analytics import Analytics, analytics, by_state
from aggregator.analytics.measures import joined
from aggregator.ledger.overflow import NOTHING

if TYPE_CHECKING:
    import duckdb

    from aggregator.ledger.overflow import Beyond
    from aggregator.ledger.population import Population


def compute_ledger(
    connection: duckdb.DuckDBPyConnection,
    population: Population,
    beyond: Beyond = NOTHING,
    table: str = "sensor",
    *,
    strict: bool = False,
) -> Analytics:
    """The analytics over a table of the ledger.

    Args:
        connection: the ledger's.
        population: the sensors of that table.
        beyond: what came of others; those are never among the former.
        table: its name.
        strict: whether a measure is only known where it is of all rows of the state.
    """
    sums = by_state(connection, table, strict=strict)
    sensors = dict(population.by_state)
    for state, outside in beyond.by_state.items():
        sums[state] = joined(sums.get(state, {}), outside.sums)
        sensors[state] = sensors.get(state, 0) + outside.sensors
    return analytics(sums, sensors.items(), population.total + beyond.sensors)
