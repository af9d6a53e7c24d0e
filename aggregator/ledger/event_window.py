"""The event window in the ledger: what is open, what is closed, what has left it.

A reading waits in the bucket of its event time until the watermark has passed that bucket's end.
Then the bucket is closed: it goes into the window, and nothing is added to it any more; what still
comes for it is too late, and counted. So a window that was shown never changes afterwards. A
trigger costs what came in it, not what is in the window: of a closed bucket there is a sum for each
state, and of a sensor only the last closed bucket that has something of it.
"""

# The SQL is made of names of ours.
# ruff: noqa: S608
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aggregator.analytics.event_window import EventWindow
from aggregator.analytics.sensor_lists import Moved
from aggregator.ledger.database import EVENT_TABLES, FOLDED_STRICT, NAMES, OF_READINGS
from aggregator.ledger.population import Population
from aggregator.ledger.totals import compute_ledger
from isotherm.contract.event_time import format_event_time

if TYPE_CHECKING:
    import duckdb

    from aggregator.analytics.analytics import Analytics
    from aggregator.analytics.scopes import Sliding

_MICRO: Final = 1_000_000
_FIRST: Final = -62_135_596_800 * _MICRO
"""The year 1, the first that an event time can say."""

# Without an origin a row has no epoch, and is never in doubt.
_CLEAN: Final = """
SELECT state, guid, unnest(moments) AS moment, unnest(temperatures) AS temperature
FROM partial ANTI JOIN doubt USING (guid, epoch) WHERE reason IS NULL
"""

# Of those in doubt `sequences` has found out which are new.
_IN_DOUBT: Final = """
UNION ALL SELECT state, guid, moments[place] AS moment, temperature
FROM fresh JOIN (SELECT position, state, guid, moments FROM partial WHERE reason IS NULL)
    USING (position)
"""

# Of those beyond the ledger's capacity nobody can tell which are new.
_BEYOND: Final = """
UNION ALL SELECT state, guid, unnest(moments) AS moment, unnest(temperatures) AS temperature
FROM outside WHERE reason IS NULL
"""

_CAME: Final = f"""
CREATE OR REPLACE TEMP TABLE came AS
SELECT state, guid, moment - (moment % $step + $step) % $step AS bucket, moment > $limit AS ahead,
    {OF_READINGS}, max(moment) AS last
FROM ({{readings}}) GROUP BY ALL
"""

_JUDGE: Final = """
SELECT max(last) FILTER (NOT ahead),
    coalesce(sum(readings) FILTER (NOT ahead AND bucket < $end), 0),
    coalesce(sum(readings) FILTER (ahead), 0)
FROM came
"""

_OPEN: Final = f"""
INSERT INTO event_open (bucket, guid, state, {NAMES})
SELECT make_timestamp(bucket), guid, state, {NAMES} FROM came
WHERE NOT ahead AND bucket >= $since
"""

_CLOSE: Final = (
    f"""
INSERT INTO event_total (bucket, state, {NAMES})
SELECT bucket, state, {FOLDED_STRICT} FROM event_open
WHERE bucket >= make_timestamp($start) AND bucket < make_timestamp($end) GROUP BY ALL
""",
    """
INSERT INTO event_sensor SELECT guid, state, max(bucket) FROM event_open
WHERE bucket >= make_timestamp($start) AND bucket < make_timestamp($end) GROUP BY ALL
ON CONFLICT (guid, state) DO UPDATE SET bucket = excluded.bucket
""",
    "DELETE FROM event_open WHERE bucket < make_timestamp($end)",
    "DELETE FROM event_total WHERE bucket < make_timestamp($start)",
    "DELETE FROM event_sensor WHERE bucket < make_timestamp($start)",
)

_READ: Final = """
SELECT span, step, epoch_us(watermark), too_late, ahead, epoch_us(exact_from), batch_id
FROM event_window
"""

# The latest event time of which a reading may have come before, and was not put into a bucket.
_BEFORE: Final = """
SELECT least(epoch_us(max(last_event)), epoch_us(max(last_seen)) + $future) FROM sensor
"""

# Of sensors beyond the capacity nobody notes that they moved.
_SEVERAL: Final = """
SELECT count(*) - count(DISTINCT guid) FROM event_sensor
WHERE EXISTS (FROM beyond) OR guid IN (FROM several)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The row of `event_window`; times in microseconds since 1970, spans in seconds."""

    span: int
    step: int
    watermark: int | None
    too_late: int
    ahead: int
    exact_from: int | None
    batch_id: int


class Buckets:
    """The event window's tables.

    Args:
        connection: the ledger's. What was kept with another span, or before the job ran for some
            batches without an event window, is of no use: then it begins anew.
        sliding: what a person asked for.
        batch_id: the ledger's last; -1 before the first.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, sliding: Sliding, batch_id: int
    ) -> None:
        self._connection = connection
        self._sliding = sliding
        self._step = sliding.step * _MICRO
        connection.execute(EVENT_TABLES)
        state = self._read()
        wanted = (sliding.span, sliding.step, batch_id)
        if state is None or (state.span, state.step, state.batch_id) != wanted:
            self._begin(state, batch_id)

    def add(self, batch_id: int, at: int, *, outside: bool = False) -> None:
        """Add the readings of a batch that are new, and move the window.

        Args:
            batch_id: of the batch.
            at: when it was in hand, nanoseconds since 1970.
            outside: whether some are of sensors beyond the ledger's capacity (``outside``).

        The connection is within the batch's transaction, after `sequences.add`.
        """
        state = self._read()
        assert state is not None
        readings = _CLEAN
        if self._connection.execute("SELECT count(*) FROM doubt").fetchall()[0][0]:
            readings += _IN_DOUBT
        if outside:
            readings += _BEYOND
        now = at // 1000
        limit = now + round(self._sliding.future * _MICRO)
        self._connection.execute(
            _CAME.format(readings=readings), {"step": self._step, "limit": limit}
        )
        before = _FIRST - self._step if state.watermark is None else self._floor(state.watermark)
        last, too_late, ahead = self._connection.execute(_JUDGE, {"end": before}).fetchall()[0]
        watermark = state.watermark
        if last is not None:
            # A clock that is fast would close the window over those that are right.
            reached = min(last, now) - round(self._sliding.behind * _MICRO)
            watermark = max(reached, _FIRST if watermark is None else watermark)
        if watermark is not None:
            end = self._floor(watermark)
            start = self._start(end)
            self._connection.execute(_OPEN, {"since": max(before, start)})
            if end > before:
                self._close(start, end)
        self._connection.execute(
            "UPDATE event_window SET watermark = make_timestamp(?), too_late = too_late + ?, "
            "ahead = ahead + ?, batch_id = ?",
            [watermark, too_late, ahead, batch_id],
        )

    def settle(self, batch_id: int) -> None:
        """Let the window go to where it belongs, after it was held; nothing was too late then.

        Args:
            batch_id: the last that is in it.
        """
        state = self._read()
        assert state is not None
        watermark = state.watermark
        if watermark is not None and self._sliding.held:
            watermark += self._sliding.span * _MICRO
            end = self._floor(watermark)
            self._close(self._start(end), end)
        self._connection.execute(
            "UPDATE event_window SET watermark = make_timestamp(?), too_late = 0, batch_id = ?",
            [watermark, batch_id],
        )

    def analytics(self) -> Analytics:
        """The four analytics over the window."""
        by_state = self._connection.execute(
            "SELECT state, count(*) FROM event_sensor GROUP BY state ORDER BY state"
        ).fetchall()
        twice = self._connection.execute(_SEVERAL).fetchall()[0][0]
        total = sum(sensors for _, sensors in by_state) - twice
        found = Population(by_state=tuple(by_state), total=total, moved=Moved())
        return compute_ledger(self._connection, found, table="event_total", strict=True)

    def window(self) -> EventWindow:
        """Where it is."""
        state = self._read()
        assert state is not None
        end = None if state.watermark is None else self._floor(state.watermark)
        start = None if end is None else self._start(end)
        partly = state.exact_from is not None and (start is None or start < state.exact_from)
        return EventWindow(
            start=_text(start),
            end=_text(end),
            watermark=_text(state.watermark),
            too_late=state.too_late,
            ahead=state.ahead,
            exact_from=_text(state.exact_from) if partly else None,
        )

    def _begin(self, state: _State | None, batch_id: int) -> None:
        """From nothing, but with what it knows of the time."""
        exact_from = None
        if batch_id >= 0:
            future = round(self._sliding.future * _MICRO)
            last = self._connection.execute(_BEFORE, {"future": future}).fetchall()[0][0]
            exact_from = None if last is None else self._floor(last) + self._step
        connection = self._connection
        connection.begin()
        for table in ("event_window", "event_open", "event_total", "event_sensor"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute(
            "INSERT INTO event_window VALUES (?, ?, make_timestamp(?), ?, ?, make_timestamp(?), ?)",
            [
                self._sliding.span,
                self._sliding.step,
                None if state is None else state.watermark,
                0 if state is None else state.too_late,
                0 if state is None else state.ahead,
                exact_from,
                batch_id,
            ],
        )
        connection.commit()

    def _close(self, start: int, end: int) -> None:
        for statement in _CLOSE:
            given = {"start": start, "end": end}
            self._connection.execute(
                statement, {name: given[name] for name in given if f"${name}" in statement}
            )

    def _read(self) -> _State | None:
        cursor = self._connection.execute(_READ)
        rows = cursor.fetchall()
        names = _State.__slots__
        return _State(**dict(zip(names, rows[0], strict=True))) if rows else None

    def _floor(self, moment: int) -> int:
        return moment // self._step * self._step

    def _start(self, end: int) -> int:
        return max(end - self._sliding.span * _MICRO, self._floor(_FIRST))


def _text(moment: int | None) -> str | None:
    return None if moment is None else format_event_time(max(moment, _FIRST) * 1000)
