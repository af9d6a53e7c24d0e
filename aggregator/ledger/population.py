"""Which sensors there are: how many by state, which have moved, which are silent.

A sensor is one row of the ledger unless it has several epochs or states, so counting rows and
correcting for those is all it takes: a million guids need not be told apart at every trigger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.analytics.moved import EXAMPLES, moved_in
from aggregator.analytics.sensor_lists import Offline, Silent

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from aggregator.analytics.sensor_lists import Moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """How many sensors there are.

    Attributes:
        by_state: (state, distinct guids), by state.
        total: distinct guids in all.
        moved: those in several states.
    """

    by_state: tuple[tuple[str, int], ...]
    total: int
    moved: Moved


def population(connection: duckdb.DuckDBPyConnection) -> Population:
    """Count the sensors of the ledger's tables."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE place AS SELECT guid, state, count(*) AS epochs "
        "FROM sensor SEMI JOIN several USING (guid) GROUP BY guid, state"
    )
    by_state = connection.execute(
        "SELECT state, count(*) - any_value(coalesce(surplus, 0))::BIGINT FROM sensor LEFT JOIN "
        "(SELECT state, sum(epochs - 1) AS surplus FROM place GROUP BY state) USING (state) "
        "GROUP BY state ORDER BY state"
    ).fetchall()
    moved = moved_in(connection, "place")
    twice = connection.execute("SELECT count(*) - count(DISTINCT guid) FROM place").fetchall()
    total = sum(sensors for _, sensors in by_state) - twice[0][0]
    return Population(by_state=tuple(by_state), total=total, moved=moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Since when a sensor may not have been seen, to be offline; nanoseconds since 1970.

    By arrival, not by event time: a device whose clock is wrong is not silent, and one whose clock
    is fast would never be. While the job did not run nothing could arrive, so that time is left
    out: the first trigger after a restart calls nobody offline who was not.

    Attributes:
        after: how long a silence may be, nanoseconds.
        started: when this life of the job began.
        before: when the ledger's last trigger of an earlier life was; None without one.
    """

    after: int
    started: int
    before: int | None

    def limit(self, now: int) -> int:
        """Who was last seen before this is offline at `now`."""
        limit = now - self.after
        if self.before is None or limit >= self.started:
            return limit
        return limit - max(self.started - self.before, 0)


def offline(connection: duckdb.DuckDBPyConnection, before: datetime) -> Offline:
    """The sensors of the ledger's tables of which nothing has come since `before`, UTC."""
    by_state = connection.execute(
        "SELECT state, count(*) FROM seen WHERE last_seen < ? GROUP BY state ORDER BY state",
        [before],
    ).fetchall()
    sensors = connection.execute(
        "SELECT guid, state, last_seen, last_event FROM seen WHERE last_seen < ? "
        "ORDER BY last_seen DESC, guid LIMIT ?",
        [before, EXAMPLES],
    ).fetchall()
    return Offline(
        total=sum(silent for _, silent in by_state),
        by_state=tuple(by_state),
        sensors=tuple(
            Silent(guid=guid, state=state, last_seen=text(seen), last_event=text(event))
            for guid, state, seen, event in sensors
        ),
    )


def text(moment: datetime) -> str:
    """A TIMESTAMP of the ledger as the snapshot has it."""
    return f"{moment.isoformat(timespec='microseconds')}Z"
