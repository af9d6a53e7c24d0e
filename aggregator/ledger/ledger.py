"""The ledger: the totals of every sensor since the start, in a DuckDB file beside the checkpoint.

A micro-batch is one transaction that also notes (query id, batch id). So a batch that Spark
replays after a crash changes nothing, and a batch that was cut off left nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

import duckdb

from aggregator.analytics.audit import EventTime
from aggregator.analytics.measures import SHOWN
from aggregator.analytics.scopes import SINCE_START
from aggregator.errors import LedgerWriteError
from aggregator.ledger import audit as balance
from aggregator.ledger import compatibility as refusals
from aggregator.ledger import overflow as beyond
from aggregator.ledger import sequences
from aggregator.ledger.compatibility import require_fit
from aggregator.ledger.database import BEFORE, PROGRESS, SCHEMA, connect, fold, prepare
from aggregator.ledger.event_window import Buckets
from aggregator.ledger.population import Population, offline, population, text
from aggregator.ledger.sensors import Sensors
from aggregator.ledger.totals import compute_ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aggregator.analytics.analytics import Analytics
    from aggregator.analytics.approximate import Approximate
    from aggregator.analytics.audit import Counts
    from aggregator.analytics.event_window import EventWindow
    from aggregator.analytics.scopes import Sliding
    from aggregator.analytics.sensor_lists import Moved, Offline
    from aggregator.analytics.tally import Tally
    from aggregator.kafka.checkpoint import Checkpoint
    from aggregator.ledger.overflow import Beyond

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
        capacity: how many sensors get rows of their own; None for all. Of the others there are
            totals and estimates (`aggregator.ledger.overflow`).
        sliding: the event window; None where there is none to keep.

    Raises:
        LedgerError: the file cannot be opened, is in use, or is no ledger of this version.
    """

    def __init__(
        self, path: Path, sliding: Sliding | None = None, *, capacity: int | None = None
    ) -> None:
        self._path = path
        self._made = not path.exists()
        self._capacity = capacity
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connect(path)
            self._connection.execute(PROGRESS)
            self._schema: str | None = None
            self.progress = self._read_progress()
            behind = -1 if self.progress is None else self.progress.batch_id
            prepare(self._connection, self._schema, behind)
            self._buckets = None
            if sliding is not None:
                self._buckets = Buckets(self._connection, sliding, behind)
        except (OSError, duckdb.Error) as error:
            raise refusals.cannot_open(path, error) from error
        self._known: Population | None = None
        self._beyond: Beyond | None = None
        self._since: dict[str, datetime | None] | None = None

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

    def add(
        self,
        query_id: str,
        batch_id: int,
        tally: Tally,
        at: int,
        commit: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Count one micro-batch, in one transaction.

        Args:
            query_id: Spark's name of the query.
            batch_id: of the micro-batch.
            tally: what it brought.
            at: when it was in hand, nanoseconds since 1970.
            commit: asked when all is written, and may read it; without it nothing changes.

        Returns:
            False where the batch had been counted before, or was not committed: then nothing
            changes.

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
                self._write(query_id, batch_id, tally, at)
                if not commit():
                    self._connection.rollback()
                    self._forget()
                    return False
                self._connection.commit()
            except BaseException:
                # A commit that failed has ended its transaction, and its own words say why.
                with contextlib.suppress(duckdb.TransactionException):
                    self._connection.rollback()
                self._forget()
                raise
            fold(self._connection, self._path)
        except duckdb.Error as error:
            raise LedgerWriteError(f"the ledger {self._path} cannot be written: {error}") from error
        self.progress = Progress(query_id=query_id, batch_id=batch_id)
        return True

    def analytics(self) -> Analytics:
        """The four analytics since the start, each reading once."""
        return compute_ledger(self._connection, self._population(), self._outside())

    def approximate(self) -> Approximate | None:
        """How far the analytics are an estimate; None while all is exact."""
        return self._outside().approximate(self._population().total)

    def known_from(self) -> dict[str, str | None]:
        """The measures that are not of all readings since the start, by their name in a snapshot.

        Returns:
            When the first trigger came that has each, UTC as text with Z; None before that one.
        """
        since = self._measured()
        return {
            measure.field: None if (at := since[measure.name]) is None else text(at)
            for measure in SHOWN
            if measure.name in since
        }

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
        seen = [row for row in (rows[0][0], _microseconds(self._outside().last_seen)) if row]
        return max(seen) * 1000 if seen else None

    def _forget(self) -> None:
        self._known = self._beyond = self._since = None

    def _measured(self) -> dict[str, datetime | None]:
        if self._since is None:
            rows = self._connection.execute("SELECT name, since FROM measure WHERE batch_id > 0")
            self._since = dict(rows.fetchall())
        return self._since

    def _outside(self) -> Beyond:
        if self._beyond is None:
            self._beyond = beyond.read(self._connection)
        return self._beyond

    def _population(self) -> Population:
        if self._known is None:
            self._known = population(self._connection)
        return self._known

    def counts(self, scope: str) -> Counts:
        """What is counted, since the start or by the last batch.

        Args:
            scope: `WINDOW` or `SINCE_START`.
        """
        return balance.counts(self._connection, scope)

    def event_time(self) -> EventTime | None:
        """The event times since the start; None without a reading."""
        found = self._connection.execute(
            "SELECT min(first_event), max(last_event) FROM sensor"
        ).fetchall()[0]
        others = self._outside()
        times = [time for time in (*found, others.first_event, others.last_event) if time]
        if not times:
            return None
        counts = self.counts(SINCE_START)
        first, last = text(min(times)), text(max(times))
        return EventTime(min=first, max=last, late=counts.late, future=counts.future)

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

    def _write(self, query_id: str, batch_id: int, tally: Tally, at: int) -> None:
        self._connection.register("partial", tally.rows)
        held = self._population().total
        within, outside = beyond.divide(
            self._connection, tally.rows, capacity=self._capacity, held=held
        )
        if outside.num_rows:
            self._connection.register("partial", within)
            beyond.add(self._connection, outside, _moment(at))
            self._beyond = None
        if sequences.add(
            self._connection,
            batch_id=batch_id,
            at=_moment(at),
            moving=tally.moved.total > 0,
        ):
            self._known = None
        if self._buckets is not None:
            self._buckets.add(batch_id, at, outside=outside.num_rows > 0)
        self._connection.unregister("partial")
        self._connection.unregister("outside")
        balance.add(self._connection, tally)
        if None in self._measured().values():
            self._connection.execute(
                "UPDATE measure SET since = ? WHERE since IS NULL AND batch_id > 0", [_moment(at)]
            )
            self._since = None
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
        if schema not in (SCHEMA, BEFORE):
            raise refusals.older(self._path, schema, SCHEMA)
        self._schema = schema
        return Progress(query_id=query_id, batch_id=batch_id)


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
