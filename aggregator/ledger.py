"""The ledger: the totals of every sensor since the start, in a DuckDB file beside the checkpoint.

A micro-batch is one transaction that also notes (query id, batch id). So a batch that Spark
replays after a crash changes nothing, and a batch that was cut off left nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import duckdb

from aggregator.analytics import Analytics, Tally, compute
from aggregator.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.checkpoint import Checkpoint

SCHEMA: Final = "isotherm.ledger/1"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS sensor (
    state VARCHAR, guid VARCHAR, epoch VARCHAR, readings BIGINT, total DOUBLE,
    min_seq BIGINT, max_seq BIGINT, first_event VARCHAR, last_event VARCHAR, unsynced BIGINT,
    PRIMARY KEY (guid, state, epoch));
CREATE TABLE IF NOT EXISTS rejected (reason VARCHAR PRIMARY KEY, records BIGINT);
CREATE TABLE IF NOT EXISTS progress (schema VARCHAR, query_id VARCHAR, batch_id BIGINT);
"""

_ADD_SENSORS: Final = """
INSERT INTO sensor BY NAME SELECT * FROM batch
ON CONFLICT (guid, state, epoch) DO UPDATE SET
    readings = readings + excluded.readings, total = total + excluded.total,
    min_seq = least(min_seq, excluded.min_seq), max_seq = greatest(max_seq, excluded.max_seq),
    first_event = least(first_event, excluded.first_event),
    last_event = greatest(last_event, excluded.last_event),
    unsynced = unsynced + excluded.unsynced
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The last micro-batch that the ledger holds."""

    query_id: str
    batch_id: int


class Ledger:
    """The totals of every sensor since the start.

    Args:
        path: the DuckDB file; made where there is none.

    Raises:
        LedgerError: the file cannot be opened, is in use, or is no ledger of this version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = duckdb.connect(path)
            self._connection.execute(_TABLES)
        except (OSError, duckdb.Error) as error:
            raise LedgerError(
                f"the ledger {path} cannot be opened (is another job using it?): {error}"
            ) from error
        self.progress = self._read_progress()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def require(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that this ledger does not fit.

        Raises:
            LedgerError: says what to do.
        """
        if self.progress is not None and self.progress.query_id != checkpoint.query_id:
            owner = checkpoint.query_id or "a new query"
            raise self._foreign(owner)
        behind = -1 if self.progress is None else self.progress.batch_id
        if checkpoint.committed is not None and checkpoint.committed > behind:
            raise self._incomplete(behind + 1, checkpoint.committed)

    def add(self, query_id: str, batch_id: int, tally: Tally) -> bool:
        """Count one micro-batch, in one transaction.

        Returns:
            False where the batch had been counted before: then nothing changes.

        Raises:
            LedgerError: the ledger belongs to another query, lacks a batch before this one, or
                cannot be written.
        """
        behind = -1
        if self.progress is not None:
            if self.progress.query_id != query_id:
                raise self._foreign(query_id)
            behind = self.progress.batch_id
        if batch_id <= behind:
            return False
        if batch_id > behind + 1:
            raise self._incomplete(behind + 1, batch_id - 1)
        try:
            self._connection.begin()
            try:
                self._write(query_id, batch_id, tally)
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise
        except duckdb.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be written: {error}") from error
        self.progress = Progress(query_id=query_id, batch_id=batch_id)
        return True

    def analytics(self) -> Analytics:
        """The four analytics since the start."""
        return compute(self._connection)

    def rejected(self) -> dict[str, int]:
        """Rejected records by reason since the start."""
        rows = self._connection.execute("SELECT reason, records FROM rejected ORDER BY reason")
        return dict(rows.fetchall())

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write(self, query_id: str, batch_id: int, tally: Tally) -> None:
        self._connection.register("batch", tally.sensors)
        self._connection.execute(_ADD_SENSORS)
        self._connection.unregister("batch")
        for reason, records in tally.rejected.items():
            self._connection.execute(
                "INSERT INTO rejected VALUES (?, ?) "
                "ON CONFLICT (reason) DO UPDATE SET records = records + excluded.records",
                [reason, records],
            )
        self._connection.execute("DELETE FROM progress")
        self._connection.execute(
            "INSERT INTO progress VALUES (?, ?, ?)", [SCHEMA, query_id, batch_id]
        )

    def _read_progress(self) -> Progress | None:
        rows = self._connection.execute(
            "SELECT schema, query_id, batch_id FROM progress"
        ).fetchall()
        if not rows:
            return None
        schema, query_id, batch_id = rows[0]
        if schema != SCHEMA:
            raise LedgerError(f"the ledger {self._path} is {schema}; this version reads {SCHEMA}")
        return Progress(query_id=query_id, batch_id=batch_id)

    def _foreign(self, query_id: str) -> LedgerError:
        assert self.progress is not None
        return LedgerError(
            f"the ledger {self._path} belongs to query {self.progress.query_id}, and the "
            f"checkpoint to {query_id}: give the checkpoint that the ledger belongs to, or move "
            "the ledger away and begin with a new --checkpoint to count again from the topic"
        )

    def _incomplete(self, first: int, last: int) -> LedgerError:
        return LedgerError(
            f"the ledger {self._path} lacks batches {first} to {last}, which the checkpoint has "
            "already counted: bring that ledger back, or move it away and begin with a new "
            "--checkpoint to count again from the topic"
        )
