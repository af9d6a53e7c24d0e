"""Which readings of a batch are new: what the seqs prove, in SQL over the ledger's tables.

Nearly every sensor goes on where it stopped: its share of the batch is one run of seqs, and begins
right behind the last that the ledger has. Those are added by one upsert that looks at nothing
else. The others are in doubt, and are looked at reading by reading.
"""

# The SQL is made of names of ours.
# ruff: noqa: S608
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aggregator.analytics.measures import MEASURES
from aggregator.ledger.database import FOLDED, JOINED, NAMES, OF_READINGS, OR_NOTHING, TAKEN_BACK

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

# A guid's readings are in one partition, so its rows seldom have to be added up. Equal hashes may
# be of different keys; then they are added up for nothing.
_APART: Final = """
SELECT count(*) = count(DISTINCT hash(guid, state, epoch)) FROM partial WHERE reason IS NULL
"""

_SHARE: Final = f"""
CREATE OR REPLACE TEMP TABLE share AS
SELECT guid, state, coalesce(epoch, '') AS epoch, {NAMES},
    min_seq AS first_seq, max_seq AS last_seq, first_event::TIMESTAMP AS first_event,
    last_event::TIMESTAMP AS last_event, coalesce(runs, 1) AS runs
FROM partial WHERE reason IS NULL
"""

_SHARE_ADDED_UP: Final = f"""
CREATE OR REPLACE TEMP TABLE share AS
SELECT guid, state, coalesce(epoch, '') AS epoch, {FOLDED},
    min(min_seq) AS first_seq, max(max_seq) AS last_seq,
    min(first_event::TIMESTAMP) AS first_event, max(last_event::TIMESTAMP) AS last_event,
    coalesce(sum(runs), 1) AS runs
FROM partial WHERE reason IS NULL GROUP BY ALL
"""

_DOUBT: Final = """
CREATE OR REPLACE TEMP TABLE doubt AS
SELECT guid, epoch FROM share WHERE runs > 1
UNION SELECT guid, epoch FROM partial WHERE lost IS NOT NULL
UNION SELECT guid, lost_epoch FROM partial WHERE lost IS NOT NULL
UNION SELECT guid, epoch FROM irregular SEMI JOIN share USING (guid, epoch) WHERE watch
"""

_DOUBT_TWO_STATES: Final = """
INSERT INTO doubt SELECT guid, epoch FROM share WHERE epoch <> ''
GROUP BY guid, epoch HAVING count(*) > 1
"""

_INTO: Final = f"""
INSERT INTO sensor (guid, state, epoch, {NAMES}, first_seq, last_seq, first_event, last_event,
    last_seen, born, touched)
"""

_ADD_RUNS: Final = f"""
{_INTO}
SELECT guid, state, epoch, {NAMES}, first_seq, last_seq, first_event, last_event,
    $at, $batch, $batch
FROM share ANTI JOIN doubt USING (guid, epoch)
ON CONFLICT (guid, state, epoch) DO UPDATE SET {JOINED},
    last_seq = excluded.last_seq, first_event = least(first_event, excluded.first_event),
    last_event = greatest(last_event, excluded.last_event),
    last_seen = excluded.last_seen, touched = excluded.touched
WHERE epoch = '' OR last_seq = excluded.first_seq - 1
"""

# Those that the condition above has held back.
_DOUBT_NO_RUN: Final = """
INSERT INTO doubt SELECT guid, epoch
FROM (FROM share ANTI JOIN doubt USING (guid, epoch))
    ANTI JOIN (FROM sensor WHERE touched = $batch) USING (guid, state, epoch)
"""

# The seqs of a guid that has moved go on under another state.
_DOUBT_MOVED: Final = """
INSERT INTO doubt SELECT DISTINCT guid, epoch
FROM (SELECT guid, epoch, state FROM sensor WHERE born = $batch AND epoch <> '') AS new
JOIN sensor AS old USING (guid, epoch) WHERE old.state <> new.state
"""

_TAKE_BACK: Final = f"""
UPDATE sensor SET {TAKEN_BACK}, first_seq = NULL, last_seq = NULL
FROM doubt WHERE doubt.guid = sensor.guid AND doubt.epoch = sensor.epoch AND born = $batch
"""

# From here on, sequences have numbers: a million readings are sorted by those in half the time.
_LOOK: Final = (
    """
CREATE OR REPLACE TEMP TABLE suspect AS
SELECT row_number() OVER () AS key, guid, epoch FROM (SELECT DISTINCT guid, epoch FROM doubt)
""",
    """
CREATE OR REPLACE TEMP TABLE arrival AS
SELECT *, row_number() OVER (PARTITION BY key, seq ORDER BY position, place) = 1 AS first
FROM (
    SELECT key, position, unnest(seqs) AS seq, unnest(temperatures) AS temperature,
        generate_subscripts(seqs, 1) AS place
    FROM partial JOIN suspect USING (guid, epoch))
""",
    """
CREATE OR REPLACE TEMP TABLE known AS
SELECT key, guid, state, epoch, first_seq, last_seq, last_seen, touched
FROM sensor JOIN suspect USING (guid, epoch) WHERE readings > 0
""",
    """
CREATE OR REPLACE TEMP TABLE held AS
SELECT key, first_seq, last_seq FROM known WHERE last_seq IS NOT NULL
UNION ALL SELECT key, first_seq, last_seq FROM island JOIN suspect USING (guid, epoch)
""",
    """
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT arrival.key, position, place, seq, temperature FROM arrival
ASOF LEFT JOIN held ON arrival.key = held.key AND arrival.seq >= held.first_seq
WHERE first AND (last_seq IS NULL OR last_seq < seq)
""",
    # Runs are pieces that touch; pieces never overlap, since what is fresh was not held.
    """
CREATE OR REPLACE TEMP TABLE run AS
WITH piece AS (
    FROM held UNION ALL
    SELECT key, min(seq) AS first_seq, max(seq) AS last_seq
    FROM (SELECT key, seq, seq - row_number() OVER (PARTITION BY key ORDER BY seq) AS before
        FROM fresh)
    GROUP BY key, before),
marked AS (
    SELECT *, lag(last_seq) OVER up IS DISTINCT FROM first_seq - 1 AS starts
    FROM piece WINDOW up AS (PARTITION BY key ORDER BY first_seq)),
numbered AS (
    SELECT *, count_if(starts) OVER (PARTITION BY key ORDER BY first_seq) AS number FROM marked)
SELECT key, min(first_seq) AS first_seq, max(last_seq) AS last_seq,
    row_number() OVER (PARTITION BY key ORDER BY min(first_seq) DESC) = 1 AS top
FROM numbered GROUP BY key, number
""",
    f"""
CREATE OR REPLACE TEMP TABLE gained AS
SELECT key, guid, state, epoch, {FOLDED}
FROM (SELECT key, position, {OF_READINGS} FROM fresh GROUP BY key, position) AS added
JOIN (SELECT guid, state, epoch, position FROM partial WHERE reason IS NULL) USING (position)
GROUP BY ALL
""",
    f"""
CREATE OR REPLACE TEMP TABLE stand AS
SELECT key, guid, state, epoch, {OR_NOTHING},
    last_seen, touched
FROM known FULL JOIN gained USING (key, guid, state, epoch)
""",
    # One of a guid's states has its highest run.
    """
CREATE OR REPLACE TEMP TABLE owner AS
SELECT key, min(state) AS state, count(*) AS states FROM stand GROUP BY key
""",
)

# Who sends again what is here already gains nothing, and is not silent.
_ADD_FRESH: Final = f"""
{_INTO}
SELECT stand.guid, stand.state, stand.epoch, {", ".join(f"stand.{m.name}" for m in MEASURES)},
    CASE WHEN owner.state = stand.state THEN run.first_seq END,
    CASE WHEN owner.state = stand.state THEN run.last_seq END,
    share.first_event, share.last_event,
    CASE WHEN share.readings IS NULL THEN last_seen ELSE $at END, $batch,
    CASE WHEN share.readings IS NULL THEN touched ELSE $batch END
FROM stand JOIN owner USING (key)
LEFT JOIN (FROM run WHERE top) AS run USING (key)
LEFT JOIN share ON share.guid = stand.guid AND share.epoch = stand.epoch
    AND share.state = stand.state
ON CONFLICT (guid, state, epoch) DO UPDATE SET {JOINED},
    first_seq = excluded.first_seq, last_seq = excluded.last_seq,
    first_event = least(first_event, excluded.first_event),
    last_event = greatest(last_event, excluded.last_event),
    last_seen = excluded.last_seen, touched = excluded.touched
"""

_MERGE: Final = (
    """
DELETE FROM island USING suspect
WHERE suspect.guid = island.guid AND suspect.epoch = island.epoch
""",
    """
INSERT INTO island SELECT guid, epoch, first_seq, last_seq
FROM run JOIN suspect USING (key) LEFT JOIN owner USING (key) WHERE NOT top OR state IS NULL
""",
    """
INSERT INTO gap SELECT guid, lost_epoch, lost_first, lost_last, lost
FROM (FROM partial WHERE lost IS NOT NULL) JOIN fresh USING (position)
""",
    # Gaps whose ranges overlap (`thin` goes over the same readings again) are taken as one; and
    # what a gap accounts for and has come all the same is not missing, so it is not explained.
    """
CREATE OR REPLACE TEMP TABLE told AS
WITH marked AS (
    SELECT key, first_seq, last_seq, lost, coalesce(first_seq > max(last_seq) OVER (
        PARTITION BY key ORDER BY first_seq, last_seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS starts
    FROM gap JOIN suspect USING (guid, epoch)),
numbered AS (
    SELECT *, count_if(starts) OVER (PARTITION BY key ORDER BY first_seq, last_seq
        ROWS UNBOUNDED PRECEDING) AS number
    FROM marked),
range AS (
    SELECT key, min(first_seq) AS first_seq, max(last_seq) AS last_seq, sum(lost) AS lost
    FROM numbered GROUP BY key, number),
came AS (
    SELECT key, range.first_seq, sum(least(range.last_seq, run.last_seq)
        - greatest(range.first_seq, run.first_seq) + 1) AS received
    FROM range JOIN run USING (key)
    WHERE run.first_seq <= range.last_seq AND run.last_seq >= range.first_seq GROUP BY ALL)
SELECT key, max(last_seq) AS last_seq,
    sum(least(lost, last_seq - first_seq + 1 - coalesce(received, 0)))::BIGINT AS explained
FROM range LEFT JOIN came USING (key, first_seq) GROUP BY key
""",
    """
INSERT INTO irregular
WITH came AS (SELECT key, count(*) AS arrivals FROM arrival GROUP BY key),
new AS (SELECT key, count(*) AS fresh FROM fresh GROUP BY key),
found AS (
    SELECT guid, epoch, coalesce(arrivals, 0) - coalesce(fresh, 0) AS duplicated,
        coalesce(explained, 0) AS explained,
        CASE WHEN states IS NULL THEN run.last_seq END AS alone,
        greatest(coalesce(told.last_seq, 0) - coalesce(run.last_seq, 0), 0) AS beyond,
        coalesce(states, 0) <> 1 AS strange
    FROM suspect LEFT JOIN came USING (key) LEFT JOIN new USING (key) LEFT JOIN told USING (key)
    LEFT JOIN owner USING (key) LEFT JOIN (FROM run WHERE top) AS run USING (key))
SELECT guid, epoch, duplicated, explained, alone, beyond, strange OR beyond > 0 FROM found
WHERE duplicated > 0 OR explained > 0 OR beyond > 0 OR strange
    OR EXISTS (FROM irregular AS old WHERE old.guid = found.guid AND old.epoch = found.epoch)
ON CONFLICT (guid, epoch) DO UPDATE SET duplicated = duplicated + excluded.duplicated,
    explained = excluded.explained, alone = excluded.alone, beyond = excluded.beyond,
    watch = excluded.watch
""",
)

_SEVERAL: Final = """
INSERT INTO several
SELECT guid FROM sensor SEMI JOIN (SELECT guid FROM sensor WHERE born = $batch) USING (guid)
GROUP BY guid HAVING count(*) > 1 EXCEPT FROM several
"""


def add(
    connection: duckdb.DuckDBPyConnection, *, batch_id: int, at: datetime, moving: bool
) -> bool:
    """Add the rows of a batch to the ledger's tables, each reading once.

    Of several readings under one name (guid, epoch, seq) the first stays: that of an earlier batch,
    then that of an earlier row, then the earlier in it.

    Args:
        connection: within a transaction, with the workers' rows as ``partial``, whose ``position``
            is their order.
        batch_id: above those of all earlier batches.
        at: when the batch was in hand, UTC.
        moving: whether a guid stands in the batch with two states.

    Returns:
        Whether rows of `sensor` came.
    """
    (apart,) = connection.execute(_APART).fetchall()[0]
    connection.execute(_SHARE if apart else _SHARE_ADDED_UP)
    connection.execute(_DOUBT)
    if moving:
        connection.execute(_DOUBT_TWO_STATES)
    before = _count(connection, "sensor")
    clean = _count(connection, "share ANTI JOIN doubt USING (guid, epoch)")
    batch = {"batch": batch_id}
    # An upsert counts what it has changed.
    changed = connection.execute(_ADD_RUNS, batch | {"at": at}).fetchall()[0][0]
    if changed < clean:
        connection.execute(_DOUBT_NO_RUN, batch)
    movers = before and _count(connection, "sensor") > before
    if movers:
        connection.execute(_DOUBT_MOVED, batch)
        connection.execute(_TAKE_BACK, batch)
    if _count(connection, "doubt"):
        for look in _LOOK:
            connection.execute(look)
        connection.execute(_ADD_FRESH, batch | {"at": at})
        if movers:
            connection.execute("DELETE FROM sensor WHERE readings = 0")
        for merge in _MERGE:
            connection.execute(merge)
    if _count(connection, "sensor") == before:
        return False
    connection.execute(_SEVERAL, batch)
    return True


def _count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    rows: int = connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
    return rows
