"""What a ledger says when nobody counts: its state, its sensors, whether it agrees with itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import duckdb

from aggregator.analytics.measures import SHOWN
from aggregator.errors import LedgerError
from aggregator.ledger import compatibility as refusals
from aggregator.ledger import overflow as beyond
from aggregator.ledger.database import BEFORE, SCHEMA, columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.kafka.checkpoint import Checkpoint

_EXPORT: Final = """
SELECT guid, state, epoch, readings, total / readings AS average_temperature, {further}
    first_event, last_event, last_seen, expected, received, missing, explained, duplicated
FROM sensor FULL JOIN sequence USING (guid, epoch)
"""
"""One row per (guid, state, epoch); the audit is of (guid, epoch), so a guid that has moved repeats
it, and a guid of which only gaps have come has no state. Temperatures in degrees Fahrenheit."""

_EXPORT_BEYOND: Final = """
UNION ALL BY NAME
SELECT state, readings, total / nullif(readings, 0) AS average_temperature, {further}
    first_event, last_event, last_seen
FROM beyond
"""
"""And without a guid one row per state for all sensors beyond the ledger's capacity."""

_IN_ORDER: Final = "ORDER BY guid NULLS LAST, state, epoch"

_CHECKS: Final = {
    "sensors whose numbers cannot be": """
        SELECT count(*) FROM sensor WHERE readings IS NULL OR readings < 1 OR total IS NULL
            OR NOT isfinite(total) OR abs(total) > 310.0 * readings
            OR first_event > last_event OR born > touched""",
    "runs of seqs that end before they begin": """
        SELECT count(*) FROM run WHERE first_seq < 1 OR last_seq < first_seq""",
    "runs of seqs that overlap or touch": """
        SELECT count(*) FROM (
            SELECT first_seq, lag(last_seq) OVER up AS before
            FROM run WINDOW up AS (PARTITION BY guid, epoch ORDER BY first_seq))
        WHERE before >= first_seq - 1""",
    "guids whose seqs are not as many as their readings and gaps": """
        SELECT count(*) FROM (
            SELECT guid, sum(last_seq - first_seq + 1) AS n FROM run GROUP BY guid)
        FULL JOIN (
            SELECT guid, sum(n) AS named FROM (
                SELECT guid, readings AS n FROM sensor WHERE epoch <> ''
                UNION ALL SELECT guid, 1 FROM gap) GROUP BY guid)
        USING (guid) WHERE n IS DISTINCT FROM named""",
    "numbers of the audit that are not those of its sequences": """
        SELECT count(*) FROM (
            SELECT coalesce(sum(expected), 0)::HUGEINT AS expected,
                coalesce(sum(received), 0)::HUGEINT AS received,
                coalesce(sum(explained), 0)::HUGEINT AS explained,
                coalesce(sum(duplicated), 0)::HUGEINT AS duplicated FROM sequence) AS proven
        JOIN audit ON scope = 'since_start' WHERE proven.expected <> audit.expected
            OR proven.received <> audit.received OR proven.explained <> audit.explained
            OR proven.duplicated <> audit.duplicated""",
    "sequences of which more came than was sent": """
        SELECT count(*) FROM sequence WHERE missing < 0 OR explained < 0 OR duplicated < 0""",
    "guids that are noted wrongly as having several rows": """
        SELECT count(*) FROM (
            SELECT guid FROM sensor GROUP BY guid HAVING count(*) > 1) AS found
        FULL JOIN several ON found.guid = several.guid
        WHERE found.guid IS NULL OR several.guid IS NULL""",
    "sensors from batches that were not counted yet": """
        SELECT count(*) FROM sensor, progress WHERE touched > batch_id""",
    "reasons without records": "SELECT count(*) FROM rejected WHERE records < 1",
}
"""What must count 0, by what it counts."""

_CHECKS_BEYOND: Final = {
    "states whose numbers beyond the capacity cannot be": """
        SELECT count(*) FROM beyond WHERE readings IS NULL OR readings < 0 OR total IS NULL
            OR NOT isfinite(total) OR abs(total) > 310.0 * readings OR gaps < 0
            OR readings + gaps < 1 OR first_event > last_event OR last_seen IS NULL
            OR sketch IS NULL OR octet_length(sketch) <> 16384""",
}
"""The same of a table that ledgers of before have not."""
_EVENT_CHECKS: Final = {
    "event windows that are of another batch": """
        SELECT count(*) FROM event_window, progress WHERE event_window.batch_id > progress.batch_id
            OR span < 1 OR step < 1 OR span % step <> 0""",
    "buckets outside the event window": """
        WITH place AS (
            SELECT time_bucket(to_seconds(step), watermark, TIMESTAMP '1970-01-01') AS until,
                to_seconds(span) AS span, to_seconds(step) AS step FROM event_window)
        SELECT count(*) FROM place, (
            SELECT bucket, true AS shown FROM event_total
            UNION ALL SELECT bucket, true FROM event_sensor
            UNION ALL SELECT bucket, false FROM event_open)
        WHERE until IS NULL OR shown <> (bucket < until) OR bucket < until - span
            OR bucket <> time_bucket(step, bucket, TIMESTAMP '1970-01-01')""",
    "sums of the event window that cannot be": """
        SELECT count(*) FROM (
            SELECT readings, total FROM event_total
            UNION ALL SELECT readings, total FROM event_open)
        WHERE readings < 1 OR NOT isfinite(total) OR abs(total) > 310.0 * readings""",
    "states of the event window without their sensors": """
        SELECT count(*) FROM (SELECT DISTINCT state FROM event_total) AS total
        FULL JOIN (SELECT DISTINCT state FROM event_sensor) AS sensor USING (state)
        WHERE total.state IS NULL OR sensor.state IS NULL""",
    "states with more readings in the event window than since the start": """
        SELECT count(*) FROM (
            SELECT state, sum(readings) AS n FROM (
                SELECT state, readings FROM event_total
                UNION ALL SELECT state, readings FROM event_open) GROUP BY state)
        LEFT JOIN (SELECT state, sum(readings) AS most FROM (
            SELECT state, readings FROM sensor{beyond}) GROUP BY state) USING (state)
        WHERE most IS NULL OR n > most""",
}
"""The same of a ledger with an event window."""

_RUN: Final = """
CREATE OR REPLACE TEMP VIEW run AS
SELECT guid, epoch, first_seq, last_seq FROM sensor WHERE last_seq IS NOT NULL
UNION ALL SELECT guid, epoch, first_seq, last_seq FROM island
"""


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a ledger that no job has open, without writing to it.

    Raises:
        LedgerError: there is none, it is in use, of another version, or damaged.
    """
    if not path.exists():
        raise LedgerError(f"there is no ledger {path}")
    try:
        with duckdb.connect(path, read_only=True) as connection:
            found = connection.execute("SELECT schema FROM progress").fetchall()
            if found and found[0][0] not in (SCHEMA, BEFORE):
                raise refusals.older(path, found[0][0], SCHEMA)
            yield connection
    except duckdb.Error as error:
        raise refusals.cannot_open(path, error) from error


def status(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The last batch and the totals, in the order in which people read them."""
    progress = connection.execute("SELECT query_id, batch_id FROM progress").fetchall()
    query_id, batch_id = progress[0] if progress else (None, None)
    sensors, readings = connection.execute(
        "SELECT count(DISTINCT guid), coalesce(sum(readings), 0) FROM sensor"
    ).fetchall()[0]
    expected, received, explained, duplicated, missing = connection.execute(
        "SELECT coalesce(sum(expected), 0), coalesce(sum(received), 0), "
        "coalesce(sum(explained), 0), coalesce(sum(duplicated), 0), "
        "coalesce(sum(missing), 0) FROM sequence"
    ).fetchall()[0]
    rejected = connection.execute("FROM rejected ORDER BY reason").fetchall()
    others = beyond.read(connection)
    outside = {"readings": others.readings, "gaps": others.gaps, "sensors, about": others.sensors}
    return {
        "query": query_id,
        "batch": batch_id,
        "sensors": sensors,
        "readings": readings,
        "expected": expected,
        "received": received,
        "missing": missing,
        "explained": explained,
        "duplicated": duplicated,
        **{f"rejected {reason}": records for reason, records in rejected},
        **{f"beyond its capacity, {name}": n for name, n in outside.items() if others.last_seen},
        **_event_status(connection),
    }


def problems(
    connection: duckdb.DuckDBPyConnection, checkpoint: Checkpoint | None = None
) -> list[str]:
    """What is wrong with a ledger, a sentence each; nothing where it is well.

    Args:
        connection: from `opened`.
        checkpoint: the one that it should fit; None leaves that out.
    """
    connection.execute(_RUN)
    checks = _CHECKS | (_CHECKS_BEYOND if beyond.has_table(connection) else {})
    checks |= _EVENT_CHECKS if _has_event_window(connection) else {}
    more = " UNION ALL SELECT state, readings FROM beyond" if beyond.has_table(connection) else ""
    counts = {
        what: connection.execute(query.replace("{beyond}", more)).fetchall()[0][0]
        for what, query in checks.items()
    }
    found = [f"{count} {what}" for what, count in counts.items() if count]
    progress = connection.execute("SELECT query_id, batch_id FROM progress").fetchall()
    if len(progress) > 1:
        found.append(f"{len(progress)} rows of progress")
    if checkpoint is not None:
        found += _against(checkpoint, *(progress[0] if progress else (None, -1)))
    return found


def exported(connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    """Every sensor with its audit (`_EXPORT`), then what is beyond; times as text with Z."""
    query = _EXPORT + (_EXPORT_BEYOND if beyond.has_table(connection) else "")
    # A ledger of before, that no job has opened since, lacks some.
    there = columns(connection, "sensor")
    further = "".join(
        f"{m.name} + 0.0::DOUBLE AS {m.name}_temperature, " for m in SHOWN if m.name in there
    )
    cursor = connection.execute(query.format(further=further) + _IN_ORDER)
    names = [column[0] for column in cursor.description or ()]
    while rows := cursor.fetchmany(10_000):
        for row in rows:
            yield {
                name: f"{value.isoformat(timespec='microseconds')}Z"
                if hasattr(value, "isoformat")
                else value
                for name, value in zip(names, row, strict=True)
            }


def _has_event_window(connection: duckdb.DuckDBPyConnection) -> bool:
    query = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'event_window'"
    return bool(connection.execute(query).fetchall()[0][0])


def _event_status(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    if not _has_event_window(connection):
        return {}
    rows = connection.execute(
        "SELECT span, time_bucket(to_seconds(step), watermark, TIMESTAMP '1970-01-01'), too_late, "
        "ahead FROM event_window"
    ).fetchall()
    if not rows:
        return {}
    span, end, too_late, ahead = rows[0]
    return {
        "event window": f"{span} s to {end}" if end else f"{span} s, and no reading yet",
        "event too late": too_late,
        "event ahead": ahead,
    }


def _against(checkpoint: Checkpoint, query_id: str | None, batch_id: int) -> list[str]:
    if query_id != checkpoint.query_id:
        return [f"it belongs to query {query_id}, and the checkpoint to {checkpoint.query_id}"]
    if batch_id > checkpoint.begun:
        return [f"it has batch {batch_id}, and the checkpoint began {checkpoint.begun} last"]
    if checkpoint.committed is not None and checkpoint.committed > batch_id:
        return [f"it has batch {batch_id}, and the checkpoint committed {checkpoint.committed}"]
    return []
