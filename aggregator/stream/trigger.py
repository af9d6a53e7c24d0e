"""One trigger: from the workers' rows to a snapshot in every sink, without Spark in sight."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.audit import Audit, Counts
from aggregator.analytics.scopes import EVENT, SINCE_START, WINDOW
from aggregator.analytics.sensor_lists import Moved
from aggregator.analytics.snapshot import Snapshot
from aggregator.analytics.tally import tally
from aggregator.dead_letters.set_aside import lies_in_records
from aggregator.ledger.population import Silence
from isotherm.contract.event_time import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aggregator.analytics.approximate import Approximate
    from aggregator.analytics.audit import EventTime
    from aggregator.analytics.event_window import EventWindow
    from aggregator.analytics.sensor_lists import Offline
    from aggregator.analytics.tally import Tally
    from aggregator.dead_letters.set_aside import Aside
    from aggregator.dead_letters.writer import DeadLetters
    from aggregator.ledger.ledger import Ledger
    from aggregator.sinks.base import Sink


class Triggers:
    """Makes the snapshots of one job, in order.

    Args:
        scopes: which scopes a snapshot has.
        ledger: the totals since the start; required for all scopes but `WINDOW`.
        sinks: where snapshots go.
        clock: nanoseconds since 1970.
        offline_after: seconds of silence after which a sensor is offline.
        letters: writes dead letters of what is rejected; None where they are not wanted.
        aside: takes what cannot be counted out of a batch; None leaves the batch to fail.
        lag: how far behind the topic's end a batch is; None where that is not known.
        full: is told once, when the first sensor came for which the ledger has no room.
    """

    def __init__(
        self,
        *,
        scopes: Sequence[str],
        ledger: Ledger | None,
        sinks: Sequence[Sink],
        clock: Callable[[], int],
        offline_after: float = 600.0,
        letters: DeadLetters | None = None,
        aside: Aside | None = None,
        lag: Callable[[int], int | None] = lambda _batch_id: None,
        full: Callable[[Approximate], None] = lambda _approximate: None,
    ) -> None:
        self._scopes = scopes
        self._ledger = ledger
        self._sinks = sinks
        self._clock = clock
        self._letters = letters
        self._aside = aside
        self._lag = lag
        self._full = full
        self._batch_id = ledger.progress.batch_id if ledger and ledger.progress else None
        self._since_start = _since_start(ledger) if ledger else _Since()
        self._last = clock()
        self._silence = Silence(
            after=round(offline_after * NS_PER_SECOND),
            started=self._last,
            before=ledger.last_seen() if ledger else None,
        )
        # Batches come on a thread of Spark's, idle triggers on ours.
        self._one_at_a_time = threading.Lock()
        self.batches = 0

    def silent_before(self) -> int:
        """Who was last seen before this is offline, nanoseconds since 1970."""
        return self._silence.limit(self._clock())

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
            now = self._clock()
            nothing = Audit() if self._ledger is None else Counts().audit()
            self._emit(
                Snapshot(
                    query_id=query_id,
                    batch_id=self._batch_id,
                    start=self._last,
                    end=now,
                    idle=True,
                    scopes=self._scoped(Analytics()),
                    audit=nothing,
                    audit_since_start=self._since_start.audit,
                    rejected={},
                    rejected_since_start=self._since_start.rejected,
                    event_time=None,
                    event_time_since_start=self._since_start.event_time,
                    moved=Moved(),
                    moved_since_start=self._since_start.moved,
                    offline=self._offline(now),
                    event_window=self._since_start.event_window,
                    lag=0,
                    trigger_ms=0,
                    approximate=self._since_start.approximate,
                    known_from=self._known_from(),
                )
            )

    def _batch(self, query_id: str, batch_id: int, collect: Callable[[], Any]) -> None:
        start, end = self._last, self._clock()
        exact = self._since_start.approximate is None
        rows = collect()
        if self._letters is not None:
            # Before anything is counted: what the ledger has, Spark does not bring again.
            rows = self._letters.write(query_id, batch_id, rows)
        gave, self._since_start = self._counted(query_id, batch_id, rows, end)
        audit = gave.audit
        if self._ledger is not None:
            if exact and self._since_start.approximate is not None:
                self._full(self._since_start.approximate)
            audit = self._ledger.counts(WINDOW).audit()
        self._batch_id = batch_id
        self._emit(
            Snapshot(
                query_id=query_id,
                batch_id=batch_id,
                start=start,
                end=end,
                # Offsets without records: the marker of a transaction that was aborted.
                idle=gave.rows.num_rows == 0,
                scopes=self._scoped(gave.analytics),
                audit=audit,
                audit_since_start=self._since_start.audit,
                rejected=gave.rejected,
                rejected_since_start=self._since_start.rejected,
                event_time=gave.event_time,
                event_time_since_start=self._since_start.event_time,
                moved=gave.moved,
                moved_since_start=self._since_start.moved,
                offline=self._offline(end),
                event_window=self._since_start.event_window,
                lag=self._lag(batch_id),
                trigger_ms=(self._clock() - end) // 1_000_000,
                approximate=self._since_start.approximate,
                known_from=self._known_from(),
            )
        )

    def _counted(self, query_id: str, batch_id: int, rows: Any, at: int) -> tuple[Tally, _Since]:
        """Count the rows, but for those that cannot be."""
        try:
            return self._count(query_id, batch_id, rows, at)
        except Exception as error:
            if self._aside is None or not lies_in_records(error):
                raise
            rows = self._aside.without(
                query_id,
                batch_id,
                rows,
                error,
                lambda part: self._count(query_id, batch_id, part, at, keep=False),
            )
        return self._count(query_id, batch_id, rows, at)

    def _count(
        self, query_id: str, batch_id: int, rows: Any, at: int, *, keep: bool = True
    ) -> tuple[Tally, _Since]:
        gave = tally(rows)
        if self._ledger is None:
            return gave, _Since()
        since: list[_Since] = []
        ledger = self._ledger

        def read() -> bool:
            since.append(_since_start(ledger))
            return keep

        # Before the commit: what cannot be read afterwards would be there for ever.
        if ledger.add(query_id, batch_id, gave, at, read):
            return gave, since[-1]
        return gave, since[-1] if since else _since_start(ledger)

    def _offline(self, now: int) -> Offline | None:
        if self._ledger is None:
            return None
        return self._ledger.offline(self._silence.limit(now))

    def _scoped(self, window: Analytics) -> dict[str, Analytics]:
        since = self._since_start
        known = {WINDOW: window, SINCE_START: since.analytics, EVENT: since.event}
        return {scope: found for scope in self._scopes if (found := known[scope]) is not None}

    def _known_from(self) -> Mapping[str, str | None]:
        return self._since_start.known_from if SINCE_START in self._scopes else {}

    def _emit(self, snapshot: Snapshot) -> None:
        self._last = snapshot.end
        for sink in self._sinks:
            sink.emit(snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Since:
    """What a snapshot says from the ledger; nothing without it."""

    analytics: Analytics | None = None
    audit: Audit | None = None
    rejected: Mapping[str, int] | None = None
    event_time: EventTime | None = None
    moved: Moved | None = None
    approximate: Approximate | None = None
    event: Analytics | None = None
    event_window: EventWindow | None = None
    known_from: Mapping[str, str | None] = field(default_factory=dict)


def _since_start(ledger: Ledger) -> _Since:
    return _Since(
        analytics=ledger.analytics(),
        audit=ledger.counts(SINCE_START).audit(),
        rejected=ledger.rejected(),
        event_time=ledger.event_time(),
        moved=ledger.moved(),
        approximate=ledger.approximate(),
        event=ledger.event(),
        event_window=ledger.event_window(),
        known_from=ledger.known_from(),
    )
