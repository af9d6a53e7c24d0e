"""From records to sensors: what Spark's workers do, once per partition of a trigger.

Judging and summing happen in one loop, so that only a row per sensor, not one per reading, leaves
the worker (docs/design.md has the comparison). Workers get this module and `contract` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aggregator import rejects
from aggregator.rejects import Rejects
from contract.fast import judge_row
from contract.reasons import Reason
from contract.row import GapRow, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from contract.reasons import Rejection

COLUMNS: Final = (
    ("reason", "STRING", pa.string()),
    ("state", "STRING", pa.string()),
    ("guid", "STRING", pa.string()),
    ("epoch", "STRING", pa.string()),
    ("readings", "BIGINT", pa.int64()),
    ("total", "DOUBLE", pa.float64()),
    ("min_seq", "BIGINT", pa.int64()),
    ("max_seq", "BIGINT", pa.int64()),
    ("first_event", "STRING", pa.string()),
    ("last_event", "STRING", pa.string()),
    ("unsynced", "BIGINT", pa.int64()),
    *rejects.COLUMNS,
)
"""A row is either a sensor's share (`reason` null; `total` in degrees Fahrenheit; `epoch` and seqs
null without an origin; event times as text without the Z, so that they sort), or the number of
rejected records (`readings`) under a `reason`, or that of gaps under `GAPS`, in `total` with the
number of readings that they say were dropped. The last columns are for dead letters
(`aggregator.rejects`): a row with an `offset` counts nothing."""

SCHEMA: Final = pa.schema([(name, arrow) for name, _, arrow in COLUMNS])
DDL: Final = ", ".join(f"{name} {spark}" for name, spark, _ in COLUMNS)

GAPS: Final = "gap"
"""Stands for a `reason`, though a gap is no rejection: it is a record of another kind."""

MOST_SENSORS: Final = 200_000
"""How many sensors a worker holds before it hands them on: about 100 MB of Python objects."""


def partials(batches: Iterable[Any]) -> Iterator[Any]:
    """Judge the `value` column of Arrow batches and sum it up by (state, guid, epoch).

    A key may come out several times (after `MOST_SENSORS`, and from several partitions): what
    reads the rows adds them up. Never raises for any bytes; a null value (a tombstone) is
    `not_json`.

    Args:
        batches: record batches with a binary column ``value``, and those that `Rejects` needs
            where dead letters are wanted.

    Yields:
        Record batches with `SCHEMA`.
    """
    sensors: dict[tuple[str, str, str | None], list[Any]] = {}
    others: dict[str, list[float]] = {}
    letters = Rejects()
    for batch in batches:
        refused: list[tuple[bytes | None, str]] = []
        values = batch.column("value").to_pylist()
        _add(values, sensors, others, refused)
        if refused:
            yield from _letters(letters.take(batch, values, refused))
        if len(sensors) >= MOST_SENSORS:
            yield _rows(sensors, {})
            sensors.clear()
    yield _rows(sensors, others)
    yield from _letters(letters.rest())


def _add(
    values: list[bytes | None],
    sensors: dict[tuple[str, str, str | None], list[Any]],
    others: dict[str, list[float]],
    refused: list[tuple[bytes | None, str]],
) -> None:
    # The hot loop of the whole job: about 1.2 µs a record beside the verdict.
    get = sensors.get
    for value in values:
        verdict = judge_row(value) if value is not None else None
        if verdict.__class__ is not Row:
            reason = _add_other(verdict, others)  # type: ignore[arg-type]
            if reason is not None:
                refused.append((value, reason))
            continue
        guid, state, event_time, temperature, epoch, seq, clock = verdict
        # Without the Z, "…39" sorts before "…39.4".
        moment = event_time[:-1]
        unsynced = 1 if clock == "unsynced" else 0
        key = (state, guid, epoch)
        sums = get(key)
        if sums is None:
            sensors[key] = [1, temperature, seq, seq, moment, moment, unsynced]
            continue
        sums[0] += 1
        sums[1] += temperature
        if seq is not None:
            if seq > sums[3]:
                sums[3] = seq
            elif seq < sums[2]:
                sums[2] = seq
        if moment > sums[5]:
            sums[5] = moment
        elif moment < sums[4]:
            sums[4] = moment
        sums[6] += unsynced


def _add_other(verdict: GapRow | Rejection | None, others: dict[str, list[float]]) -> str | None:
    """Count it; the reason if it is rejected."""
    if isinstance(verdict, GapRow):
        sums, lost, reason = others.setdefault(GAPS, [0, 0.0]), verdict.lost, None
    else:
        reason = (verdict.reason if verdict is not None else Reason.NOT_JSON).value
        sums, lost = others.setdefault(reason, [0, 0.0]), 0
    sums[0] += 1
    sums[1] += lost
    return reason


def _letters(rows: list[Any]) -> Iterator[Any]:
    if rows:
        columns = dict(zip(rejects.NAMES, zip(*rows, strict=True), strict=True))
        arrays = [
            pa.array(columns.get(kind.name, [None] * len(rows)), kind.type) for kind in SCHEMA
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _rows(
    sensors: dict[tuple[str, str, str | None], list[Any]], others: dict[str, list[float]]
) -> pa.RecordBatch:
    none = (None,) * len(rejects.COLUMNS)
    rows = [(None, *key, *sums, *none) for key, sums in sensors.items()]
    rows += [
        (reason, None, None, None, records, lost, None, None, None, None, None, *none)
        for reason, (records, lost) in others.items()
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
