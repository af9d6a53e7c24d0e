"""Readings in whole columns: what is one for certain is parsed, judged and summed by Arrow.

Arrow's JSON reader makes columns of thousands of records without a Python object for each. It takes
things that the contract does not (NaN, bytes that are not UTF-8 in fields that nobody reads, two
objects in one record), so every record that could be such a one is left to
`isotherm.contract.fast.judge_row`, which alone gives reasons, and alone knows gaps. As there, this
module may be slow about a strange record, but never of another opinion: what it accepts, the
contract accepts too, with the same values (tests/aggregator/stream/workers/test_columnar.py draws
records until one differs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from aggregator.analytics.measures import MEASURES
from isotherm.contract.event_time import EVENT_TIME_PATTERN, is_event_time
from isotherm.contract.fields import (
    CLOCKS,
    EPOCH_PATTERN,
    FORMAT,
    MAX_SEQ,
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
)
from isotherm.contract.states import STATES
from isotherm.contract.verdict import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isotherm.contract.row import Row

COLUMNS: Final = ("state", "guid", "epoch", "moment", "temperature", "seq", "clock")
"""Of the accepted: `moment` is the event time without its Z, so that it sorts; `epoch`, `seq` and
`clock` are null without an origin; `temperature` is in degrees Fahrenheit."""

_RECORD: Final = pa.schema(
    [
        ("guid", pa.string()),
        ("destination", pa.string()),
        ("state", pa.string()),
        ("eventTime", pa.string()),
        (
            "payload",
            pa.struct(
                [("format", pa.string()), ("data", pa.struct([("temperature", pa.float64())]))]
            ),
        ),
        (
            "origin",
            pa.struct([("epoch", pa.string()), ("seq", pa.int64()), ("clock", pa.string())]),
        ),
    ]
)
_KNOWN_FIELDS: Final = arrow_json.ParseOptions(
    explicit_schema=_RECORD, unexpected_field_behavior="error"
)
_ALL_FIELDS: Final = arrow_json.ParseOptions(
    explicit_schema=_RECORD, unexpected_field_behavior="ignore"
)
# A record shorter than two brackets a level cannot be nested too deep.
_LONGEST: Final = 2 * MAX_DEPTH
# Of ASCII alone; other printable characters are rare, and Python knows them best.
_GUID: Final = r"^[\x20-\x7e]{1,128}$"
_DAY: Final = len("2016-11-16")
_STATES: Final = pa.array(STATES)
_CLOCKS: Final = pa.array(sorted(CLOCKS))
_PIECES: Final = 16
_FEWEST: Final = 64
"""Records among which it does not pay to look for the one that Arrow does not take."""


def accept(values: Any) -> tuple[Any, list[int]]:
    """The records that are readings for certain, and the places of all others.

    Never raises for any bytes.

    Args:
        values: Arrow array of binary; may hold nulls.

    Returns:
        A table with `COLUMNS` in the order of the records, and the places in `values` of those
        that must be judged one by one, ascending.
    """
    certain: list[Any] = []
    rest: list[int] = []
    _accept(values, 0, certain, rest)
    return (pa.concat_tables(certain) if certain else None), rest


def _accept(values: Any, start: int, certain: list[Any], rest: list[int]) -> None:
    parsed = _parse(values)
    if parsed is not None:
        columns, good = _judge(parsed)
        table = pa.table(columns)
        if pc.all(good).as_py():
            certain.append(table)
            return
        certain.append(table.filter(good))
        others = pc.indices_nonzero(pc.invert(good)).to_pylist()
        rest.extend(start + place for place in others)
        return
    count = len(values)
    if count <= _FEWEST:
        rest.extend(range(start, start + count))
        return
    step = -(-count // _PIECES)
    for at in range(0, count, step):
        _accept(values.slice(at, step), start + at, certain, rest)


def _parse(values: Any) -> Any:
    """A row for each record, or None where Arrow might see it otherwise than the contract."""
    count = len(values)
    if not count or values.null_count or pc.max(pc.binary_length(values)).as_py() > _LONGEST:
        return None
    # Between these and a line feed, no record can reach into the next: a string cannot hold a
    # line feed, and no object can follow another without a comma. One can hold several; then
    # there are too many rows.
    if not pc.all(pc.and_(pc.starts_with(values, "{"), pc.ends_with(values, "}"))).as_py():
        return None
    whole = pc.binary_join(pa.ListArray.from_arrays([0, count], values), b"\n")[0].as_buffer()
    text = whole.to_pybytes()
    if text.count(b"\n") != count - 1:
        return None
    try:
        if not text.isascii():
            text.decode("utf-8")
    except UnicodeDecodeError:
        return None
    rows = _read(whole, _KNOWN_FIELDS)
    # Nobody judges a field that nobody knows, so Arrow's NaN and Infinity would pass there.
    if rows is None and b"NaN" not in text and b"Inf" not in text:
        rows = _read(whole, _ALL_FIELDS)
    return rows if rows is not None and len(rows) == count else None


def _read(whole: Any, options: Any) -> Any:
    block = arrow_json.ReadOptions(use_threads=False, block_size=len(whole) + 1)
    try:
        return arrow_json.read_json(
            pa.BufferReader(whole), read_options=block, parse_options=options
        )
    except pa.ArrowInvalid:
        return None


def _judge(rows: Any) -> tuple[Mapping[str, Any], Any]:
    """The columns, and which rows are readings for certain."""
    guid, state, event_time = rows["guid"], rows["state"], rows["eventTime"]
    payload, origin = rows["payload"], rows["origin"]
    temperature = pc.struct_field(payload, ["data", "temperature"])
    epoch, seq, clock = (pc.struct_field(origin, name) for name in ("epoch", "seq", "clock"))
    counted = _all_of(
        pc.match_substring_regex(epoch, EPOCH_PATTERN),
        pc.greater_equal(seq, 1),
        pc.less_equal(seq, MAX_SEQ),
        pc.is_in(clock, _CLOCKS),
    )
    good = _all_of(
        pc.match_substring_regex(guid, _GUID),
        pc.is_valid(rows["destination"]),
        pc.is_in(state, _STATES),
        pc.match_substring_regex(event_time, EVENT_TIME_PATTERN),
        pc.is_in(pc.utf8_slice_codeunits(event_time, 0, _DAY), _days(event_time)),
        pc.equal(pc.struct_field(payload, "format"), FORMAT),
        pc.greater_equal(temperature, MIN_TEMPERATURE),
        pc.less_equal(temperature, MAX_TEMPERATURE),
        pc.or_(pc.is_null(origin), counted),
    )
    columns = {
        "state": state,
        "guid": guid,
        "epoch": epoch,
        "moment": pc.utf8_slice_codeunits(event_time, 0, -1),
        "temperature": temperature,
        "seq": seq,
        "clock": clock,
    }
    return columns, good


def _all_of(first: Any, *others: Any) -> Any:
    for other in others:
        first = pc.and_kleene(first, other)
    # What is missing is not there for certain.
    return pc.fill_null(first, False)


def _days(event_time: Any) -> Any:
    """Those days that are in the calendar: few, however many readings there are."""
    days = pc.unique(pc.utf8_slice_codeunits(event_time, 0, _DAY)).to_pylist()
    return pa.array([day for day in days if day and is_event_time(f"{day}T00:00:00Z")], pa.string())


_KEYS: Final = ["state", "guid", "epoch"]
_NAMES: Final = {
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
_FOLDED: Final = {measure.name: f"temperature_{measure.fold.arrow}" for measure in MEASURES}


def table(rows: Iterable[Row]) -> Any:
    """Readings that were judged one by one, as a table with `COLUMNS`; at least one."""
    guid, state, event_time, temperature, epoch, seq, clock = zip(*rows, strict=True)
    text = pa.string()
    return pa.table(
        {
            "state": pa.array(state, text),
            "guid": pa.array(guid, text),
            "epoch": pa.array(epoch, text),
            "moment": pc.utf8_slice_codeunits(pa.array(event_time, text), 0, -1),
            "temperature": pa.array(temperature, pa.float64()),
            "seq": pa.array(seq, pa.int64()),
            "clock": pa.array(clock, text),
        }
    )


def group(readings: Any, bounds: tuple[str, str], *, moments: bool = False) -> Mapping[str, Any]:
    """The readings of each (state, guid, epoch) as one row.

    Args:
        readings: Arrow table with `COLUMNS`, in the order in which they came.
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
    wanted = [*names, *dict.fromkeys(_FOLDED.values())]
    # Without threads, a list has its readings in the order in which they came.
    rows = wide.group_by(_KEYS, use_threads=False).aggregate(
        [tuple(name.rsplit("_", 1)) for name in wanted]
    )
    found = {name: rows[name].combine_chunks() for name in rows.column_names}
    columns = {name: found[name] for name in _KEYS}
    columns |= {name: found[of] for of, name in names.items()}
    columns |= {name: found[of] for name, of in _FOLDED.items()}
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
