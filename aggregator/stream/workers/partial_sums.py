"""From records to sensors: what Spark's workers do, once per partition of a trigger.

Only a row per sensor, not one per reading, leaves the worker. What is a reading for certain goes
through Arrow in whole columns; what is not is judged record by record, and summed as a sensor's
share of its own (docs/benchmarks.md has the comparison). Workers get what
`aggregator.stream.archive` names.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aggregator.analytics.measures import MEASURES
from aggregator.stream.workers import rejects
from aggregator.stream.workers.columnar import accept, group, table
from aggregator.stream.workers.rejects import Rejects
from isotherm.contract.event_time import NS_PER_SECOND, format_event_time
from isotherm.contract.fast import judge_row
from isotherm.contract.reasons import Reason
from isotherm.contract.row import GapRow, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_TYPES: Final = {"BIGINT": pa.int64(), "DOUBLE": pa.float64()}

COLUMNS: Final = (
    ("reason", "STRING", pa.string()),
    ("state", "STRING", pa.string()),
    ("guid", "STRING", pa.string()),
    ("epoch", "STRING", pa.string()),
    *((measure.name, measure.fold.type, _TYPES[measure.fold.type]) for measure in MEASURES),
    ("min_seq", "BIGINT", pa.int64()),
    ("max_seq", "BIGINT", pa.int64()),
    ("first_event", "STRING", pa.string()),
    ("last_event", "STRING", pa.string()),
    ("unsynced", "BIGINT", pa.int64()),
    ("late", "BIGINT", pa.int64()),
    ("future", "BIGINT", pa.int64()),
    ("runs", "BIGINT", pa.int64()),
    ("seqs", "ARRAY<BIGINT>", pa.list_(pa.int64())),
    ("temperatures", "ARRAY<DOUBLE>", pa.list_(pa.float64())),
    ("lost_epoch", "STRING", pa.string()),
    ("lost_first", "BIGINT", pa.int64()),
    ("lost_last", "BIGINT", pa.int64()),
    ("lost", "BIGINT", pa.int64()),
    *rejects.COLUMNS,
)
"""A row is one of three, and what does not concern it is null.

A sensor's share has no `reason`: its `MEASURES`; event times as text without the Z,
so that they sort; `late` and `future` readings as the trigger saw them. With an origin it has
`epoch`, the seqs, the `seqs` and `temperatures` of its readings, aligned and in the order in which
they came, and `runs`: 1 where each seq is one more than the one before, so that there is neither a
hole nor a double among them and nobody has to look; more otherwise.

A gap has the `reason` `GAPS`, one row for each: its own `state`, `guid`, `epoch` and seq, and what
it tells: `lost` readings of `lost_epoch` between `lost_first` and `lost_last`.

Rejected records have a `reason` of the contract, and in `readings` how many they are. Beside
these there are rows with an `offset`, for letters: they count nothing."""

SCHEMA: Final = pa.schema([(name, arrow) for name, _, arrow in COLUMNS])
DDL: Final = ", ".join(f"{name} {spark}" for name, spark, _ in COLUMNS)

WITH_MOMENTS: Final = SCHEMA.append(pa.field("moments", pa.list_(pa.int64())))
DDL_WITH_MOMENTS: Final = f"{DDL}, moments ARRAY<BIGINT>"
"""For the event window: also when each reading of a sensor's share was made, microseconds since
1970, aligned with its `temperatures`, which it then has without an origin too."""

GAPS: Final = "gap"
"""Stands for a `reason`, though a gap is no rejection: it is a record of another kind."""

_LAST: Final = 253_402_300_799 * NS_PER_SECOND
"""The last second of the year 9999, the last that an event time can say."""

MOST_READINGS: Final = 1_000_000
"""How many readings a worker holds before it hands them on: about 120 MB in columns."""

_NAMES: Final = tuple(name for name, _, _ in COLUMNS)
_GAP: Final = (
    *("reason", "state", "guid", "epoch", "min_seq", "max_seq", "runs", "seqs", "temperatures"),
    *_NAMES[_NAMES.index("lost_epoch") : _NAMES.index("lost") + 1],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Punctuality:
    """Which event times are late, and which lie in the future, beside the time of a trigger.

    Attributes:
        late: seconds that a reading may take until it is counted.
        future: seconds that a device's clock may be fast.
    """

    late: float = 300.0
    future: float = 60.0

    def bounds(self, now: int) -> tuple[str, str]:
        """The first event time that is not late and the last that is not in the future.

        Args:
            now: nanoseconds since 1970.

        Returns:
            Text without the Z, which sorts as the times do.
        """
        after = now - round(self.late * NS_PER_SECOND)
        before = min(now + round(self.future * NS_PER_SECOND), _LAST)
        return format_event_time(max(after, 0))[:-1], format_event_time(before)[:-1]


def partials(
    batches: Iterable[Any],
    punctuality: Punctuality = Punctuality(),
    clock: Callable[[], int] = time.time_ns,
    schema: pa.Schema = SCHEMA,
) -> Iterator[Any]:
    """Judge the `value` column of Arrow batches and sum it up by (state, guid, epoch).

    A key may come out several times (after `MOST_READINGS`, of what `accept` leaves over, and from
    several partitions): what reads the rows adds them up. Never raises for any bytes; a null value
    (a tombstone) is `not_json`, and a record at which judging fails is `uncountable`: else it would
    end the job again at each start.

    Args:
        batches: record batches with a binary column ``value``, and those that `Rejects` needs
            where dead letters are wanted.
        punctuality: what late and future mean.
        clock: nanoseconds since 1970; looked at once, as the time of the trigger.
        schema: `SCHEMA`, or `WITH_MOMENTS`.

    Yields:
        Record batches with that schema.
    """
    accepted: list[Any] = []
    judged: list[Any] = []
    gaps: list[GapRow] = []
    rejected: Counter[str] = Counter()
    bounds = punctuality.bounds(clock())
    letters = Rejects()
    held = 0
    for batch in batches:
        held += batch.num_rows
        values = batch.column("value")
        certain, rest = _accept(values)
        if certain is not None:
            accepted.append(certain)
        left = values.take(pa.array(rest, pa.int64())).to_pylist()
        rows, refused = _judge(left, gaps)
        if rows:
            # At once, since a row of Python takes five times the memory.
            judged.append(table(rows))
        if refused:
            rejected.update(reason for _, reason in refused)
            places = [(rest[index], reason) for index, reason in refused]
            yield from _batch(schema, rejects.NAMES, letters.take(batch, places))
        if held >= MOST_READINGS:
            yield from _summed(schema, accepted, judged, gaps, bounds)
            accepted.clear()
            judged.clear()
            gaps.clear()
            held = 0
    yield from _summed(schema, accepted, judged, gaps, bounds)
    yield from _batch(schema, ("reason", "readings"), list(rejected.items()))
    yield from _batch(schema, rejects.NAMES, letters.rest())


def _accept(values: Any) -> tuple[Any, list[int]]:
    try:
        return accept(values)
    except Exception:  # noqa: BLE001 whatever Arrow meets in these records, each is then judged alone
        return None, list(range(len(values)))


def _judge(
    values: list[bytes | None], gaps: list[GapRow]
) -> tuple[list[Row], list[tuple[int, str]]]:
    """The readings among records, and place and reason of those that are rejected; adds `gaps`."""
    rows: list[Row] = []
    refused: list[tuple[int, str]] = []
    for index, value in enumerate(values):
        try:
            verdict = judge_row(value) if value is not None else None
        except Exception:  # noqa: BLE001 one record must not hold up all others
            refused.append((index, Reason.UNCOUNTABLE))
            continue
        if verdict.__class__ is Row:
            rows.append(verdict)
        elif verdict.__class__ is GapRow:
            gaps.append(verdict)
        else:
            reason = Reason.NOT_JSON if verdict is None else verdict.reason  # type: ignore[union-attr] # no Row
            refused.append((index, reason))
    return rows, refused


def _summed(
    schema: pa.Schema,
    accepted: list[Any],
    judged: list[Any],
    gaps: list[GapRow],
    bounds: tuple[str, str],
) -> Iterator[Any]:
    moments = "moments" in schema.names
    for tables in (accepted, judged):
        if tables and (readings := pa.concat_tables(tables)).num_rows:
            yield _record_batch(schema, group(readings, bounds, moments=moments))
    yield from _batch(schema, _GAP, [_gap(gap) for gap in gaps])


def _gap(gap: GapRow) -> tuple[Any, ...]:
    name = (gap.state, gap.guid, gap.epoch, gap.seq, gap.seq)
    return (GAPS, *name, 1, [gap.seq], [None], gap.lost_epoch, gap.first, gap.last, gap.lost)


def _batch(schema: pa.Schema, names: Sequence[str], rows: list[tuple[Any, ...]]) -> Iterator[Any]:
    if not rows:
        return
    columns = zip(*rows, strict=True)
    types = (schema.field(name).type for name in names)
    yield _record_batch(schema, dict(zip(names, map(pa.array, columns, types), strict=True)))


def _record_batch(schema: pa.Schema, columns: Mapping[str, Any]) -> Any:
    """With nulls in all columns that are not given."""
    count = len(next(iter(columns.values())))
    arrays = [
        columns[field.name] if field.name in columns else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
