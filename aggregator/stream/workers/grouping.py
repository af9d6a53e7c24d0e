"""Sums by sensor over whole columns, as `partials.COLUMNS` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS: Final = ["state", "guid", "epoch"]
_NAMES: Final = {
    "temperature_count": "readings",
    "temperature_sum": "total",
    "seq_min": "min_seq",
    "seq_max": "max_seq",
    "moment_min": "first_event",
    "moment_max": "last_event",
    "unsynced_sum": "unsynced",
    "late_sum": "late",
    "future_sum": "future",
    "seq_list": "seqs",
    "temperature_list": "temperatures",
}


def group(readings: Any, bounds: tuple[str, str], *, moments: bool = False) -> Mapping[str, Any]:
    """The readings of each (state, guid, epoch) as one row.

    Args:
        readings: Arrow table with `accept.COLUMNS`, in the order in which they came.
        bounds: the first moment that is not late, and the last that is not in the future.
        moments: whether the event time of each reading is wanted.

    Returns:
        Arrow arrays by name.
    """
    moment = readings["moment"]
    flags = {
        "unsynced": pc.equal(readings["clock"], "unsynced"),
        "late": pc.less(moment, bounds[0]),
        "future": pc.greater(moment, bounds[1]),
    }
    wide = readings
    for name, flag in flags.items():
        wide = wide.append_column(name, pc.fill_null(flag.cast(pa.int64()), 0))
    names = _NAMES
    if moments:
        wide = wide.append_column("microseconds", _microseconds(moment))
        names = _NAMES | {"microseconds_list": "moments"}
    # Without threads, a list has its readings in the order in which they came.
    rows = wide.group_by(_KEYS, use_threads=False).aggregate(
        [tuple(name.rsplit("_", 1)) for name in names]
    )
    columns = {names.get(name, name): rows[name].combine_chunks() for name in rows.column_names}
    columns["runs"] = _runs(columns["seqs"])
    counted = pc.is_valid(columns["min_seq"])
    if not pc.all(counted).as_py():
        for name in ("runs", "seqs") if moments else ("runs", "seqs", "temperatures"):
            kept = columns[name]
            columns[name] = pc.if_else(counted, kept, pa.scalar(None, kept.type))
    return columns


def _microseconds(moment: Any) -> Any:
    """Since 1970; what is finer is cut off."""
    whole = pc.utf8_slice_codeunits(moment, 0, len("2016-11-16T13:26:39.447974"))
    return whole.cast(pa.timestamp("us")).cast(pa.int64())


def _runs(seqs: Any) -> Any:
    """Into how many runs, each seq one more than the one before, a sensor's seqs fall."""
    every, parents = seqs.flatten(), pc.list_parent_indices(seqs)
    follows = pc.equal(pc.subtract(every[1:], every[:-1]), 1)
    same = pc.equal(parents[1:], parents[:-1])
    breaks = parents[1:].filter(pc.and_not(same, pc.fill_null(follows, True)))
    runs = [1] * len(seqs)
    for found in pc.value_counts(breaks).to_pylist():
        runs[found["values"]] += found["counts"]
    return pa.array(runs, pa.int64())
