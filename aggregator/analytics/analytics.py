"""The analytics over one scope, and how they come from the workers' rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aggregator.analytics.measures import MEASURES, SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from aggregator.analytics.measures import Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytics:
    """The four analytics over one scope, and what other measures there are.

    Attributes:
        average_temperature_by_state: (state, degrees Fahrenheit), highest first, ties by state.
        total_messages: valid readings.
        sensors_by_state: (state, distinct sensors), by state. A sensor seen in two states counts
            in both.
        total_sensors: distinct sensors in all; one seen in two states counts once.
        further: what other measures there are, by their name in the snapshot: (state, value), by
            state. A state of which a measure is not known is not in it.
    """

    average_temperature_by_state: tuple[tuple[str, float], ...] = ()
    total_messages: int = 0
    sensors_by_state: tuple[tuple[str, int], ...] = ()
    total_sensors: int = 0
    further: Mapping[str, tuple[tuple[str, float], ...]] = field(
        default_factory=lambda: {measure.field: () for measure in SHOWN}
    )

    def wire(self) -> dict[str, Any]:
        """As a snapshot has it."""
        return {
            "average_temperature_by_state": self.average_temperature_by_state,
            "total_messages": self.total_messages,
            "sensors_by_state": self.sensors_by_state,
            "total_sensors": self.total_sensors,
            **self.further,
        }


def compute(connection: duckdb.DuckDBPyConnection) -> Analytics:
    """The analytics over the table ``sensor`` of a connection."""
    sums = by_state(connection, "sensor")
    sensors = connection.execute(
        "SELECT state, count(DISTINCT guid) FROM sensor GROUP BY state ORDER BY state"
    ).fetchall()
    (total_sensors,) = connection.execute("SELECT count(DISTINCT guid) FROM sensor").fetchall()[0]
    return analytics(sums, sensors, total_sensors)


def by_state(
    connection: duckdb.DuckDBPyConnection, table: str, *, strict: bool = False
) -> dict[str, Sums]:
    """All measures by state, over a table that has a column for each.

    Args:
        connection: that has the table.
        table: its name.
        strict: whether a measure is only known where it is of all rows of the state.
    """
    folds = ", ".join(measure.sql_strict if strict else measure.sql for measure in MEASURES)
    rows = connection.execute(
        f"SELECT state, {folds} FROM {table} GROUP BY state ORDER BY state"  # noqa: S608 a table of ours
    ).fetchall()
    names = [measure.name for measure in MEASURES]
    return {state: dict(zip(names, values, strict=True)) for state, *values in rows}


def analytics(
    sums: Mapping[str, Sums], sensors: Iterable[tuple[str, int]], total_sensors: int
) -> Analytics:
    """The analytics, from what there is of each state.

    Args:
        sums: the measures by state; of each at least one reading.
        sensors: (state, distinct sensors).
        total_sensors: distinct ones in all.
    """
    return Analytics(
        average_temperature_by_state=_highest_first(
            (state, found["total"] / found["readings"]) for state, found in sums.items()
        ),
        total_messages=sum(found["readings"] for found in sums.values()),
        sensors_by_state=tuple(sorted(sensors)),
        total_sensors=total_sensors,
        further={
            measure.field: tuple(
                # -0.0 and 0.0 are equal, and which of them is kept depends on the order.
                (state, found[measure.name] + 0.0)
                for state, found in sorted(sums.items())
                if found[measure.name] is not None
            )
            for measure in SHOWN
        },
    )


def _highest_first(averages: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(averages, key=lambda row: (-row[1], row[0])))
