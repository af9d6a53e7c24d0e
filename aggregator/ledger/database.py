"""The ledger's file and its tables, for people and programs that query it.

Times are UTC. A seq belongs to (guid, epoch); `epoch` is empty for readings without an origin.
"""

# The SQL is made of names of ours.
# ruff: noqa: S608
from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb

from aggregator.analytics.measures import MEASURES

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.analytics.measures import Measure

SCHEMA: Final = "isotherm.ledger/3"

BEFORE: Final = "isotherm.ledger/2"
"""That of versions which kept `_OF_BEFORE` and no other measure. A job that opens such a ledger
makes it one of `SCHEMA`, which those versions refuse."""
_OF_BEFORE: Final = ("readings", "total")

_DEFINED: Final = ", ".join(f"{measure.name} {measure.fold.type}" for measure in MEASURES)
NAMES: Final = ", ".join(measure.name for measure in MEASURES)
"""The columns of the measures, as SQL."""
FOLDED: Final = ", ".join(f"{m.sql}::{m.fold.type} AS {m.name}" for m in MEASURES)
"""The measures of several rows."""
FOLDED_STRICT: Final = ", ".join(f"{m.sql_strict}::{m.fold.type} AS {m.name}" for m in MEASURES)
"""The same; one that is not known of a row is not known of them."""
OF_READINGS: Final = ", ".join(
    f"{m.fold.sql_readings.format('temperature')}::{m.fold.type} AS {m.name}" for m in MEASURES
)
"""The measures of readings with a column ``temperature``."""
JOINED: Final = ", ".join(
    f"{m.name} = {m.fold.sql_pair.format(m.name, f'excluded.{m.name}')}" for m in MEASURES
)
"""What an upsert sets."""
OR_NOTHING: Final = ", ".join(f"coalesce({m.name}, {m.fold.nothing}) AS {m.name}" for m in MEASURES)
"""The measures of a row that an outer join may have made."""
TAKEN_BACK: Final = ", ".join(f"{m.name} = {m.fold.nothing}" for m in MEASURES)
"""What an update sets, so that nothing is counted."""

PROGRESS: Final = """
CREATE TABLE IF NOT EXISTS progress (schema VARCHAR, query_id VARCHAR, batch_id BIGINT);
"""
"""Made and read first: what the others look like depends on `schema`."""

TABLES: Final = f"""
-- What was counted since the start, each reading once. `first_seq` to `last_seq` is the run of
-- received seqs with the highest in it; null without an origin, and where a guid that has moved has
-- it under another state. `born` and `touched`: the batches that brought it first and last.
CREATE TABLE IF NOT EXISTS sensor (
    guid VARCHAR, state VARCHAR, epoch VARCHAR, {_DEFINED},
    first_seq BIGINT, last_seq BIGINT, first_event TIMESTAMP, last_event TIMESTAMP,
    last_seen TIMESTAMP, born BIGINT, touched BIGINT, PRIMARY KEY (guid, state, epoch));

-- The guids with several rows in `sensor`.
CREATE TABLE IF NOT EXISTS several (guid VARCHAR);

-- The other runs of received seqs: below holes, or of guids of which only gaps have come.
CREATE TABLE IF NOT EXISTS island (
    guid VARCHAR, epoch VARCHAR, first_seq BIGINT, last_seq BIGINT);

-- What the senders say they dropped: `lost` readings between two seqs.
CREATE TABLE IF NOT EXISTS gap (
    guid VARCHAR, epoch VARCHAR, first_seq BIGINT, last_seq BIGINT, lost BIGINT);

-- What there is beside the runs, where there is something. `explained`: missing seqs that gaps
-- account for. `alone`: the highest seq received where no sensor has it. `beyond`: how far a gap
-- reaches above the highest received. `watch`: that its next readings need a second look.
CREATE TABLE IF NOT EXISTS irregular (
    guid VARCHAR, epoch VARCHAR, duplicated BIGINT, explained BIGINT, alone BIGINT, beyond BIGINT,
    watch BOOLEAN, PRIMARY KEY (guid, epoch));

CREATE TABLE IF NOT EXISTS rejected (reason VARCHAR PRIMARY KEY, records BIGINT);

-- For each scope what the snapshot's audit and event times say; `window` is the last batch's.
CREATE TABLE IF NOT EXISTS audit (
    scope VARCHAR PRIMARY KEY, expected HUGEINT, received HUGEINT, gaps BIGINT,
    explained HUGEINT, duplicated HUGEINT, unsynced BIGINT, late BIGINT, future BIGINT);

-- By state what came of sensors that have no row, since the ledger was full; `sketch` tells how
-- many they are (aggregator/ledger/hyperloglog.py). With a row in it no new sensor gets a row in
-- `sensor`.
CREATE TABLE IF NOT EXISTS beyond (
    state VARCHAR PRIMARY KEY, {_DEFINED}, gaps BIGINT, first_event TIMESTAMP,
    last_event TIMESTAMP, last_seen TIMESTAMP, sketch BLOB);

-- Which measures (aggregator/analytics/measures.py) the rows have. `batch_id`: the first batch of
-- which each has all, 0 for all that came; `since`: when that batch came, null for 0 and before it.
CREATE TABLE IF NOT EXISTS measure (name VARCHAR PRIMARY KEY, batch_id BIGINT, since TIMESTAMP);

-- Each guid once: where it was last, and since when nothing has come of it.
CREATE VIEW IF NOT EXISTS seen AS
SELECT guid, state, last_seen, last_event FROM sensor ANTI JOIN several USING (guid)
UNION ALL
SELECT guid, arg_max(state, (last_seen, last_event, state)) AS state, max(last_seen) AS last_seen,
    max(last_event) AS last_event
FROM sensor SEMI JOIN several USING (guid) GROUP BY guid;

-- The audit of each (guid, epoch).
CREATE VIEW IF NOT EXISTS sequence AS
WITH run AS (
    SELECT guid, epoch, first_seq, last_seq FROM sensor WHERE last_seq IS NOT NULL
    UNION ALL SELECT guid, epoch, first_seq, last_seq FROM island),
received AS (
    SELECT guid, epoch, sum(last_seq - first_seq + 1) AS received, max(last_seq) AS last_seq
    FROM run GROUP BY guid, epoch)
SELECT guid, epoch,
    coalesce(last_seq, 0) + coalesce(beyond, 0) AS expected,
    coalesce(received, 0)::BIGINT AS received,
    (coalesce(last_seq, 0) + coalesce(beyond, 0) - coalesce(received, 0)
        - coalesce(explained, 0))::BIGINT AS missing,
    coalesce(explained, 0) AS explained,
    coalesce(duplicated, 0) AS duplicated
FROM received FULL JOIN irregular USING (guid, epoch);
"""

EVENT_TABLES: Final = f"""
-- The event window, if one is asked for: `span` and `step` in seconds; what came `too_late` for it,
-- or too far `ahead`, since it began; the last batch that is in it. It goes from `watermark`, down
-- to a whole step, `span` back.
CREATE TABLE IF NOT EXISTS event_window (
    span BIGINT, step BIGINT, watermark TIMESTAMP, too_late BIGINT, ahead BIGINT,
    exact_from TIMESTAMP, batch_id BIGINT);

-- The readings that the watermark has not passed yet; a bucket is named by its first moment.
CREATE TABLE IF NOT EXISTS event_open (
    bucket TIMESTAMP, guid VARCHAR, state VARCHAR, {_DEFINED});

-- What is in the window.
CREATE TABLE IF NOT EXISTS event_total (
    bucket TIMESTAMP, state VARCHAR, {_DEFINED});

-- Who is in it: the last bucket with something of a sensor.
CREATE TABLE IF NOT EXISTS event_sensor (
    guid VARCHAR, state VARCHAR, bucket TIMESTAMP, PRIMARY KEY (guid, state));
"""
"""Made only where somebody asks for an event window."""

_SUMS: Final = ("sensor", "beyond", "event_open", "event_total")
"""The tables with a column for each measure."""


def columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The names of a table's columns; none where there is no such table."""
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [table]
    ).fetchall()
    return [name for (name,) in rows]


def prepare(connection: duckdb.DuckDBPyConnection, schema: str | None, batch_id: int) -> None:
    """Make the tables, and give them a column for each measure of this version.

    A measure that they did not have is known from the next batch on. What another version keeps
    and this one does not is forgotten, since it is not kept any more from now on.

    Args:
        connection: the ledger's.
        schema: of the ledger as it is; None for a new one.
        batch_id: the last that it holds; -1 before the first.
    """
    connection.begin()
    connection.execute(TABLES)
    names = [measure.name for measure in MEASURES]
    if schema is None:
        known = set(names)
        connection.execute("DELETE FROM measure")
    elif schema == BEFORE:
        known = set(_OF_BEFORE)
    else:
        known = {name for (name,) in connection.execute("SELECT name FROM measure").fetchall()}
    for name in sorted(known - set(names)):
        connection.execute("DELETE FROM measure WHERE name = ?", [name])
    for measure in MEASURES:
        _add(connection, measure, known=measure.name in known)
        first = 0 if measure.name in known else batch_id + 1
        connection.execute(
            "INSERT INTO measure VALUES (?, ?, NULL) ON CONFLICT DO NOTHING", [measure.name, first]
        )
    if schema == BEFORE:
        connection.execute("UPDATE progress SET schema = ?", [SCHEMA])
    connection.commit()


def _add(connection: duckdb.DuckDBPyConnection, measure: Measure, *, known: bool) -> None:
    for table in _SUMS:
        if not (there := columns(connection, table)):
            continue
        if measure.name not in there:
            # Also where all is known, as nothing came: a job of before made the tables, and was
            # killed before its first batch.
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {measure.name} {measure.fold.type}")
        elif not known:
            # Of a version that kept it before one that did not.
            connection.execute(f"UPDATE {table} SET {measure.name} = NULL")


_NEVER: Final = "1TB"
"""DuckDB reckons 16 KB for each (2,048 rows, column) in which a row has changed, so that at its
usual threshold, 16 MB, nearly every commit to a large ledger would write all of it anew."""

MOST_LOG: Final = 64 << 20
"""Bytes of the log with which the file is written anew. After a kill the log is read again, which
takes about as long as the triggers took that wrote it."""


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the file to write; made where there is none."""
    return duckdb.connect(path, config={"checkpoint_threshold": _NEVER})


def fold(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Take a long log into the file; between two transactions."""
    log = path.with_name(f"{path.name}.wal")
    if log.exists() and log.stat().st_size > MOST_LOG:
        connection.execute("CHECKPOINT")
