"""Which sensors there are: how many by state, which have moved, which are silent.

A sensor is one row of the ledger unless it has several epochs or states, so counting rows and
correcting for those is all it takes: a million guids need not be told apart at every trigger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

EXAMPLES: Final = 10
"""How many sensors a snapshot names; the ledger has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Guids that were seen in several states: each counts in all of these, and once in total.

    Attributes:
        total: how many there are.
        sensors: (guid, its states) of some, by guid.
    """

    total: int = 0
    sensors: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A sensor of which nothing has come for long.

    Attributes:
        guid: names the sensor.
        state: where it was last.
        last_seen: when the last trigger with something of it began, UTC as text with Z.
        last_event: the latest time that its readings say.
    """

    guid: str
    state: str
    last_seen: str
    last_event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """The silent sensors.

    Attributes:
        total: how many there are.
        by_state: (state, how many), by state; one that has moved is where it was last.
        sensors: some of them, those that fell silent last first.
    """

    total: int = 0
    by_state: tuple[tuple[str, int], ...] = ()
    sensors: tuple[Silent, ...] = ()


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
    moved = _moved(connection, "place")
    twice = connection.execute("SELECT count(*) - count(DISTINCT guid) FROM place").fetchall()
    total = sum(sensors for _, sensors in by_state) - twice[0][0]
    return Population(by_state=tuple(by_state), total=total, moved=moved)


def moved_within(connection: duckdb.DuckDBPyConnection) -> Moved:
    """The guids with several states in the table ``sensor`` of a connection."""
    return _moved(connection, "sensor")


def _moved(connection: duckdb.DuckDBPyConnection, table: str) -> Moved:
    rows = connection.execute(
        "SELECT guid, list(DISTINCT state ORDER BY state), count(*) OVER () "  # noqa: S608 a table of ours
        f"FROM {table} GROUP BY guid HAVING count(DISTINCT state) > 1 ORDER BY guid LIMIT ?",
        [EXAMPLES],
    ).fetchall()
    return Moved(
        total=rows[0][2] if rows else 0,
        sensors=tuple((guid, tuple(states)) for guid, states, _ in rows),
    )


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
