"""The ledger: the totals of every sensor since the start, in a DuckDB file beside the checkpoint.

A micro-batch is one transaction that also notes (query id, batch id). So a batch that Spark
replays after a crash changes nothing, and a batch that was cut off left nothing.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

import duckdb

from aggregator import refusals, sequences
from aggregator.analytics import Analytics, compute_ledger
from aggregator.audit import Counts, EventTime
from aggregator.buckets import Buckets
from aggregator.errors import LedgerError
from aggregator.fit import require_fit
from aggregator.population import Moved, Offline, Population, offline, population, text
from aggregator.scopes import SINCE_START, WINDOW
from aggregator.sensors import Sensors
from aggregator.tables import PROGRESS, SCHEMA, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aggregator.buckets import EventWindow
    from aggregator.checkpoint import Checkpoint
    from aggregator.scopes import Sliding
    from aggregator.tally import Tally

_PROVEN: Final = """
SELECT (SELECT coalesce(sum(last_seq), 0) FROM sensor)
        + (SELECT coalesce(sum(coalesce(alone, 0)::HUGEINT + beyond), 0) FROM irregular),
    (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM sensor)
        + (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM island),
    (SELECT count(*) FROM gap),
    (SELECT coalesce(sum(explained), 0) FROM irregular),
    (SELECT coalesce(sum(duplicated), 0) FROM irregular)
"""
_COUNTED: Final = tuple(field.name for field in fields(Counts))
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 a TIMESTAMP of DuckDB has no zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The last micro-batch that the ledger holds."""

    query_id: str
    batch_id: int


class Ledger:
    """The totals of every sensor since the start.

    Args:
        path: the DuckDB file; made where there is none.
        sliding: the event window; None where there is none to keep.

    Raises:
        LedgerError: the file cannot be opened, is in use, or is no ledger of this version.
    """

    def __init__(self, path: Path, sliding: Sliding | None = None) -> None:
        self._path = path
        self._made = not path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = duckdb.connect(path)
            self._connection.execute(PROGRESS)
            self.progress = self._read_progress()
            self._connection.execute(TABLES)
            self._buckets = None
            if sliding is not None:
                behind = -1 if self.progress is None else self.progress.batch_id
                self._buckets = Buckets(self._connection, sliding, behind)
        except (OSError, duckdb.Error) as error:
            raise refusals.cannot_open(path, error) from error
        self._known: Population | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def require(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that this ledger does not fit.

        Raises:
            LedgerError: says what to do.
        """
        at = self.progress
        query_id, batch_id = (None, None) if at is None else (at.query_id, at.batch_id)
        require_fit(self._path, query_id, batch_id, checkpoint)

    def settle(self, batch_id: int) -> None:
        """Say that it holds all up to a batch, where it was filled in other portions.

        Args:
            batch_id: not below the last that was added.
        """
        assert self.progress is not None
        assert batch_id >= self.progress.batch_id
        self._connection.begin()
        self._connection.execute("UPDATE progress SET batch_id = ?", [batch_id])
        if self._buckets is not None:
            self._buckets.settle(batch_id)
        self._connection.commit()
        self.progress = Progress(query_id=self.progress.query_id, batch_id=batch_id)

    def add(self, query_id: str, batch_id: int, tally: Tally, at: int) -> bool:
        """Count one micro-batch, in one transaction.

        Args:
            query_id: Spark's name of the query.
            batch_id: of the micro-batch.
            tally: what it brought.
            at: when it was in hand, nanoseconds since 1970.

        Returns:
            False where the batch had been counted before: then nothing changes.

        Raises:
            LedgerError: the ledger belongs to another query, lacks a batch before this one, or
                cannot be written.
        """
        behind = -1
        if self.progress is not None:
            if self.progress.query_id != query_id:
                raise refusals.foreign(self._path, self.progress.query_id, query_id)
            behind = self.progress.batch_id
        if batch_id <= behind:
            return False
        if batch_id > behind + 1:
            raise refusals.incomplete(self._path, behind + 1, batch_id - 1)
        try:
            self._connection.begin()
            try:
                changed = self._write(query_id, batch_id, tally, at)
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise
        except duckdb.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be written: {error}") from error
        self.progress = Progress(query_id=query_id, batch_id=batch_id)
        if changed:
            self._known = None
        return True

    def analytics(self) -> Analytics:
        """The four analytics since the start, each reading once."""
        return compute_ledger(self._connection, self._population())

    def event(self) -> Analytics | None:
        """The four analytics over the event window, each reading once; None where it has none."""
        return None if self._buckets is None else self._buckets.analytics()

    def event_window(self) -> EventWindow | None:
        """Where the event window is."""
        return None if self._buckets is None else self._buckets.window()

    def moved(self) -> Moved:
        """The guids that were seen in several states."""
        return self._population().moved

    def offline(self, before: int) -> Offline:
        """The sensors of which nothing has come since `before`, nanoseconds since 1970."""
        return offline(self._connection, _moment(before))

    def sensors(self, silent_before: Callable[[], int]) -> Sensors:
        """What may be asked of it from other threads while it counts.

        Args:
            silent_before: who was last seen before this is offline, nanoseconds since 1970.
        """
        return Sensors(self._connection, lambda: _moment(silent_before()))

    def last_seen(self) -> int | None:
        """When the last trigger with a reading began, nanoseconds since 1970; None before one."""
        rows = self._connection.execute("SELECT epoch_us(max(last_seen)) FROM sensor").fetchall()
        return None if rows[0][0] is None else int(rows[0][0]) * 1000

    def _population(self) -> Population:
        if self._known is None:
            self._known = population(self._connection)
        return self._known

    def counts(self, scope: str) -> Counts:
        """What is counted, since the start or by the last batch.

        Args:
            scope: `WINDOW` or `SINCE_START`.
        """
        rows = self._connection.execute(
            "SELECT * EXCLUDE (scope) FROM audit WHERE scope = ?", [scope]
        ).fetchall()
        return Counts(**dict(zip(_COUNTED, rows[0], strict=True))) if rows else Counts()

    def event_time(self) -> EventTime | None:
        """The event times since the start; None without a reading."""
        first, last = self._connection.execute(
            "SELECT min(first_event), max(last_event) FROM sensor"
        ).fetchall()[0]
        if first is None:
            return None
        counts = self.counts(SINCE_START)
        return EventTime(min=text(first), max=text(last), late=counts.late, future=counts.future)

    def sequences(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Of each (guid, epoch): expected, received, missing, explained, duplicated."""
        rows = self._connection.execute("FROM sequence ORDER BY guid, epoch").fetchall()
        return {(guid, epoch): tuple(counts) for guid, epoch, *counts in rows}

    def rejected(self) -> dict[str, int]:
        """Rejected records by reason since the start."""
        rows = self._connection.execute("SELECT reason, records FROM rejected ORDER BY reason")
        return dict(rows.fetchall())

    def close(self) -> None:
        """Close the file; one that we made and that counted nothing is taken away again."""
        if self._made and self.progress is None:
            self._connection.execute("CHECKPOINT")
            # As long as it is open, no other job can have it.
            self._path.unlink(missing_ok=True)
        self._connection.close()

    def _write(self, query_id: str, batch_id: int, tally: Tally, at: int) -> bool:
        self._connection.register("partial", tally.rows)
        changed = sequences.add(
            self._connection,
            batch_id=batch_id,
            at=_moment(at),
            moving=tally.moved.total > 0,
        )
        if self._buckets is not None:
            self._buckets.add(batch_id, at)
        self._connection.unregister("partial")
        self._write_counts(tally)
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
        return changed

    def _write_counts(self, tally: Tally) -> None:
        before = self.counts(SINCE_START)
        (proven,) = self._connection.execute(_PROVEN).fetchall()
        expected, received, gaps, explained, duplicated = proven
        event_time = tally.event_time
        now = Counts(
            expected=expected,
            received=received,
            gaps=gaps,
            explained=explained,
            duplicated=duplicated,
            unsynced=before.unsynced + tally.audit.unsynced,
            late=before.late + (event_time.late if event_time else 0),
            future=before.future + (event_time.future if event_time else 0),
        )
        for scope, counts in ((SINCE_START, now), (WINDOW, now - before)):
            self._connection.execute(
                "INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [scope, *astuple(counts)],
            )

    def _read_progress(self) -> Progress | None:
        rows = self._connection.execute(
            "SELECT schema, query_id, batch_id FROM progress"
        ).fetchall()
        if not rows:
            return None
        schema, query_id, batch_id = rows[0]
        if schema != SCHEMA:
            raise refusals.older(self._path, schema, SCHEMA)
        return Progress(query_id=query_id, batch_id=batch_id)


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
