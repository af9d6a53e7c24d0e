"""One trigger: from the workers' rows to a snapshot in every sink, without Spark in sight."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from aggregator.analytics import Analytics, tally
from aggregator.settings import SINCE_START, WINDOW
from aggregator.snapshot import Audit, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.dead_letters import DeadLetters
    from aggregator.ledger import Ledger
    from aggregator.sinks import Sink


class Triggers:
    """Makes the snapshots of one job, in order.

    Args:
        scopes: which scopes a snapshot has.
        ledger: the totals since the start; required for that scope.
        sinks: where snapshots go.
        clock: nanoseconds since 1970.
        letters: writes dead letters of what is rejected; None where they are not wanted.
        lag: how far behind the topic's end a batch is; None where that is not known.
    """

    def __init__(
        self,
        *,
        scopes: Sequence[str],
        ledger: Ledger | None,
        sinks: Sequence[Sink],
        clock: Callable[[], int],
        letters: DeadLetters | None = None,
        lag: Callable[[int], int | None] = lambda _batch_id: None,
    ) -> None:
        self._scopes = scopes
        self._ledger = ledger
        self._sinks = sinks
        self._clock = clock
        self._letters = letters
        self._lag = lag
        self._batch_id = ledger.progress.batch_id if ledger and ledger.progress else None
        self._since_start = ledger.analytics() if ledger else None
        self._rejected = ledger.rejected() if ledger else None
        self._last = clock()
        # Batches come on a thread of Spark's, idle triggers on ours.
        self._one_at_a_time = threading.Lock()
        self.batches = 0

    def batch(self, query_id: str, batch_id: int, collect: Callable[[], Any]) -> None:
        """A micro-batch.

        Args:
            query_id: Spark's name of the query.
            batch_id: comes again where Spark replays a batch after a crash.
            collect: runs the one Spark job and gives the workers' rows as an Arrow table.

        Raises:
            DeadLetterError: a rejected record has no letter yet; nothing is counted.
            LedgerError: the totals cannot be kept.
            SinkError: a sink that must not fail has failed.
        """
        with self._one_at_a_time:
            self._batch(query_id, batch_id, collect)
            self.batches += 1

    def idle(self, query_id: str) -> None:
        """A trigger without records."""
        with self._one_at_a_time:
            self._emit(
                Snapshot(
                    query_id=query_id,
                    batch_id=self._batch_id,
                    start=self._last,
                    end=self._clock(),
                    idle=True,
                    scopes=self._scoped(Analytics()),
                    audit=Audit(),
                    rejected={},
                    rejected_since_start=self._rejected,
                    event_time=None,
                    lag=0,
                    trigger_ms=0,
                )
            )

    def _batch(self, query_id: str, batch_id: int, collect: Callable[[], Any]) -> None:
        start, end = self._last, self._clock()
        rows = collect()
        if self._letters is not None:
            # Before anything is counted: what the ledger has, Spark does not bring again.
            rows = self._letters.write(query_id, rows)
        gave = tally(rows)
        if self._ledger is not None:
            self._ledger.add(query_id, batch_id, gave)
            self._since_start = self._ledger.analytics()
            self._rejected = self._ledger.rejected()
        self._batch_id = batch_id
        self._emit(
            Snapshot(
                query_id=query_id,
                batch_id=batch_id,
                start=start,
                end=end,
                # Offsets without records: the marker of a transaction that was aborted.
                idle=gave.analytics.total_messages == 0 and not gave.rejected,
                scopes=self._scoped(gave.analytics),
                audit=Audit(received=gave.received, unsynced=gave.unsynced),
                rejected=gave.rejected,
                rejected_since_start=self._rejected,
                event_time=gave.event_time,
                lag=self._lag(batch_id),
                trigger_ms=(self._clock() - end) // 1_000_000,
            )
        )

    def _scoped(self, window: Analytics) -> dict[str, Analytics]:
        known = {WINDOW: window, SINCE_START: self._since_start}
        return {scope: found for scope in self._scopes if (found := known[scope]) is not None}

    def _emit(self, snapshot: Snapshot) -> None:
        self._last = snapshot.end
        for sink in self._sinks:
            sink.emit(snapshot)
