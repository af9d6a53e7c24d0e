"""The tables of the ledger, for people and programs that query it.

Times are UTC. A seq belongs to (guid, epoch); `epoch` is empty for readings without an origin.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "isotherm.ledger/2"

PROGRESS: Final = """
CREATE TABLE IF NOT EXISTS progress (schema VARCHAR, query_id VARCHAR, batch_id BIGINT);
"""
"""Made and read first: what the others look like depends on `schema`."""

TABLES: Final = """
-- What was counted since the start, each reading once. `first_seq` to `last_seq` is the run of
-- received seqs with the highest in it; null without an origin, and where a guid that has moved has
-- it under another state. `born` and `touched`: the batches that brought it first and last.
CREATE TABLE IF NOT EXISTS sensor (
    guid VARCHAR, state VARCHAR, epoch VARCHAR, readings BIGINT, total DOUBLE,
    first_seq BIGINT, last_seq BIGINT, first_event TIMESTAMP, last_event TIMESTAMP,
    last_seen TIMESTAMP, born BIGINT, touched BIGINT, PRIMARY KEY (guid, state, epoch));

-- The guids with several rows in `sensor`.
CREATE TABLE IF NOT EXISTS several (guid VARCHAR);

-- The other runs of received seqs: below holes, or of guids of which only gaps have come.
CREATE TABLE IF NOT EXISTS island (
    guid VARCHAR, epoch VARCHAR, first_seq BIGINT, last_seq BIGINT);

-- What the senders say they dropped: `lost` readings between two seqs.
CREATE TABLE IF NOT EXISTS gap (
    guid VARCHAR, epoch VARCHAR, first_seq BIGINT, last_seq BIGINT, lost BIGINT);

-- What there is beside the runs, where there is something. `explained`: missing seqs that gaps
-- account for. `alone`: the highest seq received where no sensor has it. `beyond`: how far a gap
-- reaches above the highest received. `watch`: that its next readings need a second look.
CREATE TABLE IF NOT EXISTS irregular (
    guid VARCHAR, epoch VARCHAR, duplicated BIGINT, explained BIGINT, alone BIGINT, beyond BIGINT,
    watch BOOLEAN, PRIMARY KEY (guid, epoch));

CREATE TABLE IF NOT EXISTS rejected (reason VARCHAR PRIMARY KEY, records BIGINT);

-- For each scope what the snapshot's audit and event times say; `window` is the last batch's.
CREATE TABLE IF NOT EXISTS audit (
    scope VARCHAR PRIMARY KEY, expected HUGEINT, received HUGEINT, gaps BIGINT,
    explained HUGEINT, duplicated HUGEINT, unsynced BIGINT, late BIGINT, future BIGINT);

-- By state what came of sensors that have no row, since the ledger was full; `sketch` tells how
-- many they are (aggregator/ledger/hyperloglog.py). With a row in it no new sensor gets a row in
-- `sensor`.
CREATE TABLE IF NOT EXISTS beyond (
    state VARCHAR PRIMARY KEY, readings BIGINT, total DOUBLE, gaps BIGINT, first_event TIMESTAMP,
    last_event TIMESTAMP, last_seen TIMESTAMP, sketch BLOB);

-- Each guid once: where it was last, and since when nothing has come of it.
CREATE VIEW IF NOT EXISTS seen AS
SELECT guid, state, last_seen, last_event FROM sensor ANTI JOIN several USING (guid)
UNION ALL
SELECT guid, arg_max(state, (last_seen, last_event, state)) AS state, max(last_seen) AS last_seen,
    max(last_event) AS last_event
FROM sensor SEMI JOIN several USING (guid) GROUP BY guid;

-- The audit of each (guid, epoch).
CREATE VIEW IF NOT EXISTS sequence AS
WITH run AS (
    SELECT guid, epoch, first_seq, last_seq FROM sensor WHERE last_seq IS NOT NULL
    UNION ALL SELECT guid, epoch, first_seq, last_seq FROM island),
received AS (
    SELECT guid, epoch, sum(last_seq - first_seq + 1) AS received, max(last_seq) AS last_seq
    FROM run GROUP BY guid, epoch)
SELECT guid, epoch,
    coalesce(last_seq, 0) + coalesce(beyond, 0) AS expected,
    coalesce(received, 0)::BIGINT AS received,
    (coalesce(last_seq, 0) + coalesce(beyond, 0) - coalesce(received, 0)
        - coalesce(explained, 0))::BIGINT AS missing,
    coalesce(explained, 0) AS explained,
    coalesce(duplicated, 0) AS duplicated
FROM received FULL JOIN irregular USING (guid, epoch);
"""

EVENT_TABLES: Final = """
-- The event window, if one is asked for: `span` and `step` in seconds; what came `too_late` for it,
-- or too far `ahead`, since it began; the last batch that is in it. It goes from `watermark`, down
-- to a whole step, `span` back.
CREATE TABLE IF NOT EXISTS event_window (
    span BIGINT, step BIGINT, watermark TIMESTAMP, too_late BIGINT, ahead BIGINT,
    exact_from TIMESTAMP, batch_id BIGINT);

-- The readings that the watermark has not passed yet; a bucket is named by its first moment.
CREATE TABLE IF NOT EXISTS event_open (
    bucket TIMESTAMP, guid VARCHAR, state VARCHAR, readings BIGINT, total DOUBLE);

-- What is in the window.
CREATE TABLE IF NOT EXISTS event_total (
    bucket TIMESTAMP, state VARCHAR, readings BIGINT, total DOUBLE);

-- Who is in it: the last bucket with something of a sensor.
CREATE TABLE IF NOT EXISTS event_sensor (
    guid VARCHAR, state VARCHAR, bucket TIMESTAMP, PRIMARY KEY (guid, state));
"""
"""Made only where somebody asks for an event window."""
