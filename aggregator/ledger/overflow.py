"""What comes of sensors beyond the ledger's capacity: exact totals by state, and sketches of guids.

The first sensors, up to the capacity, have rows in the ledger, and all that is said of them is
exact. Once one more has come the ledger is closed: no other gets a row, whatever the capacity is
later, so that those with rows and those in the sketches are never the same, and the two counts add
up. Nothing is proven of the seqs of those beyond: their duplicates count.
"""

# The SQL is made of names of ours.
# ruff: noqa: S608
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aggregator.analytics.approximate import Approximate, Uncertain
from aggregator.analytics.measures import MEASURES
from aggregator.ledger import hyperloglog as sketch
from aggregator.ledger.database import JOINED, NAMES, columns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import duckdb

    from aggregator.analytics.measures import Sums

# `irregular` has the guids of which only gaps have come; it is seldom large.
_STATE: Final = (
    "SELECT (SELECT count(*) > 0 FROM beyond), (SELECT count(*) FROM irregular WHERE alone > 0)"
)
_HELD_BY_GAPS: Final = (
    "SELECT count(DISTINCT guid) FROM irregular ANTI JOIN sensor USING (guid) "
    "WHERE alone IS NOT NULL"
)

_STRANGERS: Final = """
CREATE OR REPLACE TEMP TABLE stranger AS
SELECT guid, min(position) AS position
FROM (SELECT guid, position FROM partial WHERE guid IS NOT NULL) AS came
ANTI JOIN sensor USING (guid) ANTI JOIN irregular USING (guid) GROUP BY guid
"""

_ADMIT: Final = """
DELETE FROM stranger WHERE guid IN (SELECT guid FROM stranger ORDER BY position LIMIT ?)
"""

_OUTSIDE: Final = "SELECT position FROM partial SEMI JOIN stranger USING (guid)"

_ADD: Final = f"""
INSERT INTO beyond (state, {NAMES}, gaps, first_event, last_event, last_seen)
SELECT state, {", ".join(f"coalesce({m.sql}, {m.fold.nothing})::{m.fold.type}" for m in MEASURES)},
    count(lost), min(first_event)::TIMESTAMP, max(last_event)::TIMESTAMP,
    $at
FROM outside GROUP BY state
ON CONFLICT (state) DO UPDATE SET {JOINED},
    gaps = gaps + excluded.gaps, first_event = least(first_event, excluded.first_event),
    last_event = greatest(last_event, excluded.last_event), last_seen = excluded.last_seen
"""

# MD5 for its even spread: it is the same in every version of DuckDB, whose `hash` need not be.
_HASHES: Final = """
SELECT list_position($states, state) - 1 AS place,
    ('0x' || left(md5(guid), 16))::UBIGINT AS hash
FROM outside WHERE reason IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What came of one state's sensors beyond the capacity.

    Attributes:
        sums: the measures of valid readings, duplicates included; those that are known.
        sensors: how many distinct ones, an estimate.
    """

    sums: Sums
    sensors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """What came of all sensors beyond the capacity; of none in a ledger that is not closed.

    Attributes:
        by_state: by state, in order.
        sensors: distinct ones in all states together, an estimate.
        gaps: records of gaps, which explain nothing.
        first_event: the earliest event time, UTC; None without a reading.
        last_event: the latest.
        last_seen: when the last trigger with something of them began.
    """

    by_state: Mapping[str, Outside]
    sensors: int = 0
    gaps: int = 0
    first_event: datetime | None = None
    last_event: datetime | None = None
    last_seen: datetime | None = None

    @property
    def readings(self) -> int:
        """Of all states together."""
        return sum(outside.sums["readings"] for outside in self.by_state.values())

    def approximate(self, ledger_sensors: int) -> Approximate | None:
        """What a snapshot says of it; None where nothing came.

        Args:
            ledger_sensors: how many sensors have rows.
        """
        if self.last_seen is None:
            return None
        return Approximate(
            ledger_sensors=ledger_sensors,
            beyond=Uncertain(
                messages=self.readings,
                gaps=self.gaps,
                sensors=self.sensors,
                sensors_by_state=tuple((s, found.sensors) for s, found in self.by_state.items()),
            ),
            relative_error=sketch.RELATIVE_ERROR,
            confidence=sketch.CONFIDENCE,
        )


NOTHING: Final = Beyond(by_state={})


def has_table(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a ledger has one: those of before get theirs when a job opens them."""
    return bool(columns(connection, "beyond"))


def read(connection: duckdb.DuckDBPyConnection) -> Beyond:
    """What the table ``beyond`` says; nothing where a ledger has none yet."""
    there = set(columns(connection, "beyond"))
    if not there:
        return NOTHING
    # One of before, that nobody opened to write since, lacks some.
    names = [measure.name for measure in MEASURES if measure.name in there]
    rows = connection.execute(
        "SELECT state, gaps, first_event, last_event, last_seen, sketch, "
        f"{', '.join(names)} FROM beyond ORDER BY state"
    ).fetchall()
    if not rows:
        return NOTHING
    states, gaps, first, last, seen, blobs, *columnwise = zip(*rows, strict=True)
    sketches = _stacked(blobs)
    sums = [dict(zip(names, values, strict=True)) for values in zip(*columnwise, strict=True)]
    found = zip(states, sums, map(sketch.estimate, sketches), strict=True)
    return Beyond(
        by_state={
            state: Outside(sums=values, sensors=sensors)
            for state, values, sensors in found
            if values["readings"]
        },
        # A guid in several states is in several sketches, and once in what they come to.
        sensors=sketch.estimate(sketches.max(axis=0)),
        gaps=sum(gaps),
        first_event=min(filter(None, first), default=None),
        last_event=max(filter(None, last), default=None),
        last_seen=max(seen),
    )


def divide(
    connection: duckdb.DuckDBPyConnection, rows: Any, *, capacity: int | None, held: int
) -> tuple[Any, Any]:
    """Tell the rows of sensors that the ledger has, or has room for, from the others.

    Args:
        connection: within a transaction, with `rows` as ``partial``.
        rows: the workers', as in `Tally`.
        capacity: how many sensors may have rows; None for no bound.
        held: how many of which readings have come have rows already.

    Returns:
        The rows within, with all that is no sensor's, and those beyond.
    """
    none = rows.slice(0, 0)
    closed, most = connection.execute(_STATE).fetchall()[0]
    if not closed and (capacity is None or held + most + rows.num_rows <= capacity):
        return rows, none
    room = 0
    if not closed and capacity is not None:
        room = max(capacity - held - connection.execute(_HELD_BY_GAPS).fetchall()[0][0], 0)
    connection.execute(_STRANGERS)
    connection.execute(_ADMIT, [room])
    outside = connection.execute(_OUTSIDE).fetchnumpy()["position"]
    if not len(outside):
        return rows, none
    within = np.ones(rows.num_rows, np.bool_)
    within[outside] = False
    return rows.filter(pa.array(within)), rows.filter(pa.array(~within))


def add(connection: duckdb.DuckDBPyConnection, rows: Any, at: datetime) -> None:
    """Count rows beyond the capacity.

    Args:
        connection: within a transaction.
        rows: the second of what `divide` gave; they stay as ``outside``.
        at: when the batch was in hand, UTC.
    """
    connection.register("outside", rows)
    connection.execute(_ADD, {"at": at})
    before = connection.execute("SELECT state, sketch FROM beyond ORDER BY state").fetchall()
    states, blobs = zip(*before, strict=True)
    sketches = _stacked(blobs)
    came = connection.execute(_HASHES, {"states": list(states)}).fetchnumpy()
    sketch.see(sketches, came["place"], came["hash"])
    for state, blob, registers in zip(states, blobs, sketches, strict=True):
        # Seldom, once most sensors have been seen: 16 KB a state and trigger are much to log.
        if blob != (now := registers.tobytes()):
            connection.execute("UPDATE beyond SET sketch = ? WHERE state = ?", [now, state])


def _stacked(blobs: tuple[bytes | None, ...]) -> sketch.Registers:
    sketches = sketch.empty(len(blobs))
    for place, blob in enumerate(blobs):
        if blob is not None:
            sketches[place] = sketch.loaded(blob)
    return sketches
