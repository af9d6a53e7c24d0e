"""`isotherm-aggregator history`: SQL over the snapshots that `--history` keeps, through DuckDB."""

# The SQL is made of names of ours.
# ruff: noqa: S608
from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import duckdb

from aggregator.analytics.measures import SHOWN
from aggregator.errors import HistoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS: Final = {"degrees": "average_temperature_by_state"} | {m.name: m.field for m in SHOWN}
"""The columns of the view `temperature`, and of what lists in a snapshot's scope they are."""

_VALUES: Final = ", ".join(
    f"max(degrees) FILTER (field = '{field}') AS {name}" for name, field in _FIELDS.items()
)
_LISTS: Final = ", ".join(f"('{field}')" for field in _FIELDS.values())

VIEWS: Final = f"""
CREATE VIEW snapshot AS
SELECT "window"."end" AS taken, query_id, batch_id, idle, lag, trigger_ms, audit,
    audit_since_start, rejected, rejected_since_start, event_time, event_window, approximate, scopes
FROM read_json({{files}}, format = 'newline_delimited', ignore_errors = true, columns = {{{{
    query_id: 'VARCHAR', batch_id: 'BIGINT',
    "window": 'STRUCT("start" TIMESTAMP, "end" TIMESTAMP)', idle: 'BOOLEAN', lag: 'BIGINT',
    trigger_ms: 'BIGINT', audit: 'JSON', audit_since_start: 'JSON',
    rejected: 'MAP(VARCHAR, BIGINT)', rejected_since_start: 'MAP(VARCHAR, BIGINT)',
    event_time: 'STRUCT("min" TIMESTAMP, "max" TIMESTAMP)',
    event_window: 'STRUCT("start" TIMESTAMP, "end" TIMESTAMP, watermark TIMESTAMP,
         too_late BIGINT, ahead BIGINT, exact_from TIMESTAMP)', approximate: 'JSON',
    scopes: 'MAP(VARCHAR, JSON)'}}}})
-- A line that a crash cut off reads as nothing.
WHERE query_id IS NOT NULL
-- After a crash a batch may come twice; the later one is right as well.
QUALIFY idle OR row_number() OVER (PARTITION BY query_id, batch_id, idle ORDER BY taken DESC) = 1;

CREATE VIEW total AS
SELECT taken, batch_id, entry.key AS scope,
    TRY_CAST(entry.value ->> 'total_messages' AS HUGEINT) AS messages,
    TRY_CAST(entry.value ->> 'total_sensors' AS BIGINT) AS sensors,
    approximate IS NOT NULL AND entry.key = 'since_start' AS approximate
FROM (SELECT taken, batch_id, approximate, unnest(map_entries(scopes)) AS entry
    FROM snapshot WHERE NOT idle);

-- What a snapshot of before does not have is null.
CREATE VIEW temperature AS
SELECT taken, scope, state, {_VALUES}
FROM (
    SELECT line, taken, scope, field, pair ->> 0 AS state, TRY_CAST(pair ->> 1 AS DOUBLE) AS degrees
    FROM (
        SELECT line, taken, entry.key AS scope, field,
            unnest((entry.value -> field)::JSON[]) AS pair
        FROM (
            SELECT row_number() OVER () AS line, taken, unnest(map_entries(scopes)) AS entry
            FROM snapshot WHERE NOT idle),
            (VALUES {_LISTS}) AS list(field)))
GROUP BY line, taken, scope, state;
"""

LATELY: Final = "SELECT * FROM total ORDER BY taken DESC, scope LIMIT 20"


@contextmanager
def query(folder: Path, sql: str) -> Iterator[duckdb.DuckDBPyRelation]:
    """Run SQL over a folder of snapshots; a job may write to it meanwhile.

    Yields:
        The answer, to be read while the connection is open: some versions of DuckDB close a
        connection that nobody holds, and its answers with it.

    Raises:
        HistoryError: there are none, or the SQL is wrong.
    """
    if not any(folder.glob("*.jsonl")):
        raise HistoryError(f"{folder} holds no snapshots: give the folder of the job's --history")
    files = "'" + str(folder / "*.jsonl").replace("'", "''") + "'"
    try:
        with duckdb.connect() as connection:
            connection.execute(VIEWS.format(files=files))
            found = connection.sql(sql)
            if found is None:
                raise HistoryError("only a query gives an answer: begin with SELECT")
            yield found
    except duckdb.Error as error:
        raise HistoryError(str(error)) from error


@click.command("history")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("sql", default=LATELY)
@click.option("--csv", is_flag=True, help="Comma-separated values instead of a table.")
def history(folder: Path, sql: str, *, csv: bool) -> None:
    """Query the snapshots in DIR (the job's --history) with SQL, also while the job runs.

    Views: snapshot (taken, query_id, batch_id, idle, lag, trigger_ms, audit, rejected,
    event_window, approximate, scopes), total (taken, batch_id, scope, messages, sensors,
    approximate), temperature (taken, scope, state, degrees: the average, and each other measure).
    Without SQL: the last 20 totals.
    """
    with query(folder, sql) as found:
        if csv:
            found.write_csv("/dev/stdout")
        else:
            found.show(max_width=10_000, max_rows=10_000)
