"""Which readings of a batch are new: what the seqs prove, in SQL over the ledger's tables.

Nearly every sensor goes on where it stopped: its share of the batch is one run of seqs, and begins
right behind the last that the ledger has. Those are added by one upsert that looks at nothing
else. The others are in doubt, and are looked at reading by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

_SHARE: Final = """
CREATE OR REPLACE TEMP TABLE share AS
SELECT guid, state, coalesce(epoch, '') AS epoch, sum(readings)::BIGINT AS readings,
    fsum(total) AS total, min(min_seq) AS first_seq, max(max_seq) AS last_seq,
    min(first_event)::TIMESTAMP AS first_event, max(last_event)::TIMESTAMP AS last_event,
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

_ADD_RUNS: Final = """
INSERT INTO sensor
SELECT guid, state, epoch, readings, total, first_seq, last_seq, first_event, last_event,
    $at, $batch, $batch
FROM share ANTI JOIN doubt USING (guid, epoch)
ON CONFLICT (guid, state, epoch) DO UPDATE SET
    readings = readings + excluded.readings, total = total + excluded.total,
    last_seq = excluded.last_seq, first_event = least(first_event, excluded.first_event),
    last_event = greatest(last_event, excluded.last_event),
    last_seen = excluded.last_seen, touched = excluded.touched
WHERE epoch = '' OR last_seq + 1 = excluded.first_seq
"""

# Those that the condition above has held back.
_DOUBT_NO_RUN: Final = """
INSERT INTO doubt SELECT guid, epoch
FROM (SELECT * FROM share ANTI JOIN doubt USING (guid, epoch)) JOIN sensor
    USING (guid, state, epoch)
WHERE touched <> $batch
"""

# The seqs of a guid that has moved go on under another state.
_DOUBT_MOVED: Final = """
INSERT INTO doubt SELECT DISTINCT guid, epoch
FROM (SELECT guid, epoch, state FROM sensor WHERE born = $batch AND epoch <> '') AS new
JOIN sensor AS old USING (guid, epoch) WHERE old.state <> new.state
"""

_TAKE_BACK: Final = """
UPDATE sensor SET readings = 0, total = 0, first_seq = NULL, last_seq = NULL
FROM doubt WHERE doubt.guid = sensor.guid AND doubt.epoch = sensor.epoch AND born = $batch
"""

_LOOK: Final = (
    """
CREATE OR REPLACE TEMP TABLE arrival AS
SELECT *, row_number() OVER (PARTITION BY guid, epoch, seq ORDER BY position, place) = 1 AS first
FROM (
    SELECT guid, epoch, state, lost IS NOT NULL AS gap, position,
        lost_epoch, lost_first, lost_last, lost, unnest(seqs) AS seq,
        unnest(temperatures) AS temperature, generate_subscripts(seqs, 1) AS place
    FROM partial SEMI JOIN doubt USING (guid, epoch) WHERE seqs IS NOT NULL)
""",
    """
CREATE OR REPLACE TEMP TABLE held AS
SELECT guid, epoch, first_seq, last_seq FROM sensor SEMI JOIN doubt USING (guid, epoch)
WHERE last_seq IS NOT NULL
UNION ALL SELECT guid, epoch, first_seq, last_seq FROM island SEMI JOIN doubt USING (guid, epoch)
""",
    """
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT arrival.* FROM arrival ASOF LEFT JOIN held ON arrival.guid = held.guid
    AND arrival.epoch = held.epoch AND arrival.seq >= held.first_seq
WHERE arrival.first AND (held.last_seq IS NULL OR held.last_seq < arrival.seq)
""",
    # Runs are pieces that touch; pieces never overlap, since what is fresh was not held.
    """
CREATE OR REPLACE TEMP TABLE run AS
WITH piece AS (
    FROM held UNION ALL SELECT guid, epoch, seq AS first_seq, seq AS last_seq FROM fresh),
marked AS (
    SELECT *, lag(last_seq) OVER up IS DISTINCT FROM first_seq - 1 AS starts
    FROM piece WINDOW up AS (PARTITION BY guid, epoch ORDER BY first_seq)),
numbered AS (
    SELECT *, count_if(starts) OVER (PARTITION BY guid, epoch ORDER BY first_seq) AS number
    FROM marked)
SELECT guid, epoch, min(first_seq) AS first_seq, max(last_seq) AS last_seq,
    row_number() OVER (PARTITION BY guid, epoch ORDER BY min(first_seq) DESC) = 1 AS top
FROM numbered GROUP BY guid, epoch, number
""",
)

_ADD_FRESH: Final = (
    # Who sends again what is here already is not silent.
    """
UPDATE sensor SET last_seen = $at, touched = $batch
FROM (FROM share SEMI JOIN doubt USING (guid, epoch)) AS share
WHERE share.guid = sensor.guid AND share.state = sensor.state AND share.epoch = sensor.epoch
""",
    """
INSERT INTO sensor
SELECT guid, state, epoch, gained.readings, gained.total, NULL, NULL, first_event, last_event,
    $at, $batch, $batch
FROM (SELECT guid, state, epoch, count(*) AS readings, fsum(temperature) AS total
    FROM fresh WHERE NOT gap GROUP BY ALL) AS gained
JOIN share USING (guid, state, epoch)
ON CONFLICT (guid, state, epoch) DO UPDATE SET
    readings = readings + excluded.readings, total = total + excluded.total,
    first_event = least(first_event, excluded.first_event),
    last_event = greatest(last_event, excluded.last_event)
""",
    "DELETE FROM sensor WHERE readings = 0",
    # One of a guid's states has its highest run.
    """
CREATE OR REPLACE TEMP TABLE owner AS
SELECT guid, epoch, min(state) AS state, count(*) AS states
FROM sensor SEMI JOIN doubt USING (guid, epoch) GROUP BY guid, epoch
""",
    """
UPDATE sensor SET
    first_seq = CASE WHEN sensor.state = owner.state THEN run.first_seq END,
    last_seq = CASE WHEN sensor.state = owner.state THEN run.last_seq END
FROM owner JOIN run USING (guid, epoch)
WHERE run.top AND owner.guid = sensor.guid AND owner.epoch = sensor.epoch
""",
    """
DELETE FROM island USING doubt WHERE doubt.guid = island.guid AND doubt.epoch = island.epoch
""",
    """
INSERT INTO island SELECT guid, epoch, first_seq, last_seq FROM run LEFT JOIN owner
    USING (guid, epoch) WHERE NOT top OR state IS NULL
""",
    "INSERT INTO gap SELECT guid, lost_epoch, lost_first, lost_last, lost FROM fresh WHERE gap",
)

# Gaps whose ranges overlap (`thin` goes over the same readings again) are taken as one; and what a
# gap accounts for and has come all the same is not missing, so it is not explained.
_EXPLAIN: Final = """
CREATE OR REPLACE TEMP TABLE told AS
WITH marked AS (
    SELECT *, coalesce(first_seq > max(last_seq) OVER (PARTITION BY guid, epoch
        ORDER BY first_seq, last_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true)
        AS starts
    FROM gap SEMI JOIN doubt USING (guid, epoch)),
numbered AS (
    SELECT *, count_if(starts) OVER (PARTITION BY guid, epoch ORDER BY first_seq, last_seq
        ROWS UNBOUNDED PRECEDING) AS number
    FROM marked),
range AS (
    SELECT guid, epoch, min(first_seq) AS first_seq, max(last_seq) AS last_seq, sum(lost) AS lost
    FROM numbered GROUP BY guid, epoch, number),
came AS (
    SELECT guid, epoch, range.first_seq, sum(least(range.last_seq, run.last_seq)
        - greatest(range.first_seq, run.first_seq) + 1) AS received
    FROM range JOIN run USING (guid, epoch)
    WHERE run.first_seq <= range.last_seq AND run.last_seq >= range.first_seq GROUP BY ALL)
SELECT guid, epoch, max(last_seq) AS last_seq,
    sum(least(lost, last_seq - first_seq + 1 - coalesce(received, 0)))::BIGINT AS explained
FROM range LEFT JOIN came USING (guid, epoch, first_seq) GROUP BY guid, epoch
"""

_NOTE: Final = """
INSERT INTO irregular
WITH came AS (SELECT guid, epoch, count(*) AS arrivals FROM arrival GROUP BY ALL),
new AS (SELECT guid, epoch, count(*) AS fresh FROM fresh GROUP BY ALL),
found AS (
    SELECT guid, epoch, coalesce(arrivals, 0) - coalesce(fresh, 0) AS duplicated,
        coalesce(explained, 0) AS explained,
        CASE WHEN states IS NULL THEN run.last_seq END AS alone,
        greatest(coalesce(told.last_seq, 0) - coalesce(run.last_seq, 0), 0) AS beyond,
        coalesce(states, 0) <> 1 AS strange
    FROM (SELECT DISTINCT guid, epoch FROM doubt)
    LEFT JOIN came USING (guid, epoch) LEFT JOIN new USING (guid, epoch)
    LEFT JOIN told USING (guid, epoch) LEFT JOIN owner USING (guid, epoch)
    LEFT JOIN (FROM run WHERE top) AS run USING (guid, epoch))
SELECT guid, epoch, duplicated, explained, alone, beyond, strange OR beyond > 0 FROM found
WHERE duplicated > 0 OR explained > 0 OR beyond > 0 OR strange
    OR EXISTS (FROM irregular AS old WHERE old.guid = found.guid AND old.epoch = found.epoch)
ON CONFLICT (guid, epoch) DO UPDATE SET duplicated = duplicated + excluded.duplicated,
    explained = excluded.explained, alone = excluded.alone, beyond = excluded.beyond,
    watch = excluded.watch
"""


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
    connection.execute(_SHARE)
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
    if before and _count(connection, "sensor") > before:
        connection.execute(_DOUBT_MOVED, batch)
        connection.execute(_TAKE_BACK, batch)
    if _count(connection, "doubt"):
        for look in _LOOK:
            connection.execute(look)
        for step in _ADD_FRESH:
            known = {"at": at, "batch": batch_id}
            connection.execute(step, {name: known[name] for name in known if f"${name}" in step})
        connection.execute(_EXPLAIN)
        connection.execute(_NOTE)
    if _count(connection, "sensor") == before:
        return False
    connection.execute(_SEVERAL, batch)
    return True


def _count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    rows: int = connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]  # noqa: S608 a table of ours
    return rows
