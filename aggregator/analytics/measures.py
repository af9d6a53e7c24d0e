"""The measures: what is kept of the temperatures of readings, from Spark's workers to the page.

A row of `MEASURES` is a column in the workers' rows and in the ledger's tables, those of the event
window included. With `shown` it is also a list by state in the snapshot, and so in the console's
table, the history, the metrics and the page; CONTRIBUTING.md says what else belongs to a new one.
Workers get this module, so it needs the standard library only.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """How many values become one, in whatever order and portions they come.

    Attributes:
        arrow: pyarrow's aggregation of temperatures.
        python: of two values that were folded before.
        sql: DuckDB's aggregate of a column of values that were folded before.
        sql_readings: DuckDB's aggregate of a column of temperatures.
        sql_pair: of two columns, in DuckDB; null in the first stands for what is not known.
        nothing: what changes nothing as the second, in SQL.
        type: of the result, in SQL.
    """

    arrow: str
    python: Callable[[Any, Any], Any]
    sql: str
    sql_readings: str
    sql_pair: str
    nothing: str
    type: str = "DOUBLE"


COUNT: Final = Fold(
    arrow="count",
    python=operator.add,
    sql="sum({})",
    sql_readings="count({})",
    sql_pair="coalesce({}, 0) + {}",
    nothing="0",
    type="BIGINT",
)
# Kahan sums, so that a sum does not depend on the order.
SUM: Final = Fold(
    arrow="sum",
    python=operator.add,
    sql="fsum({})",
    sql_readings="fsum({})",
    sql_pair="coalesce({}, 0) + {}",
    nothing="0",
)
MIN: Final = Fold(
    arrow="min",
    python=min,
    sql="min({})",
    sql_readings="min({})",
    sql_pair="least({}, {})",
    nothing="NULL",
)
MAX: Final = Fold(
    arrow="max",
    python=max,
    sql="max({})",
    sql_readings="max({})",
    sql_pair="greatest({}, {})",
    nothing="NULL",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a measure is shown.

    Attributes:
        heading: above its column in the console's table, at most 6 letters.
        about: what it is, in words that go on with "of a state".
    """

    heading: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure.

    Attributes:
        name: of its column; letters, digits and underscores.
        fold: how it is computed.
        shown: None for what is kept for the four analytics alone.
    """

    name: str
    fold: Fold
    shown: Shown | None = None

    @property
    def field(self) -> str:
        """Its name in a snapshot's scope, where it is [state, degrees Fahrenheit], by state."""
        return f"{self.name}_temperature_by_state"

    @property
    def sql(self) -> str:
        """Its aggregate over its column."""
        return self.fold.sql.format(self.name)

    @property
    def sql_strict(self) -> str:
        """The same, and null where one of the values is not known."""
        return f"CASE WHEN count({self.name}) = count(*) THEN {self.sql} END"


MEASURES: Final = (
    Measure(name="readings", fold=COUNT),
    Measure(name="total", fold=SUM),
    Measure(name="minimum", fold=MIN, shown=Shown(heading="min", about="Lowest temperature")),
    Measure(name="maximum", fold=MAX, shown=Shown(heading="max", about="Highest temperature")),
)
"""The first two are those of the average: how many, and the sum in degrees Fahrenheit."""

SHOWN: Final = tuple(measure for measure in MEASURES if measure.shown is not None)

Sums = dict[str, Any]
"""The values of all measures by name; None where one is not known."""


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> Sums:
    """The sums of two portions; what is known of one alone is that one's."""
    return {
        measure.name: _pair(measure.fold, first.get(measure.name), second.get(measure.name))
        for measure in MEASURES
    }


def _pair(fold: Fold, one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return fold.python(one, other)
