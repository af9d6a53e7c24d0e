"""A reading, or a gap, as flat columns, and the slower of the two ways to it."""

from __future__ import annotations

from typing import NamedTuple

from isotherm.contract.reasons import Rejection
from isotherm.contract.verdict import examine, is_gap


class Row(NamedTuple):
    """A reading as flat columns, the shape in which bridge and aggregator need it.

    `event_time` is the text on the wire; `epoch`, `seq` and `clock` are None without an origin.
    `temperature` is in degrees Fahrenheit.
    """

    guid: str
    state: str
    event_time: str
    temperature: float
    epoch: str | None
    seq: int | None
    clock: str | None


class GapRow(NamedTuple):
    """A gap as flat columns: `lost` readings of `lost_epoch` between `first` and `last`."""

    guid: str
    state: str
    event_time: str
    epoch: str
    seq: int
    clock: str
    lost_epoch: str
    first: int
    last: int
    lost: int
    reason: str


def judge_row(raw: bytes) -> Row | GapRow | Rejection:
    """Judge one record: a `Row` if it is a reading, a `GapRow` if it is a gap, else a `Rejection`.

    Pure, never raises.
    """
    found = examine(raw)
    if isinstance(found, Rejection):
        return found
    if is_gap(found):
        return GapRow(
            found["guid",],
            found["state",],
            found["eventTime",],
            found["origin", "epoch"],
            int(found["origin", "seq"]),
            found["origin", "clock"],
            found["payload", "data", "epoch"],
            int(found["payload", "data", "first"]),
            int(found["payload", "data", "last"]),
            int(found["payload", "data", "count"]),
            found["payload", "data", "reason"],
        )
    seq = found.get(("origin", "seq"))
    return Row(
        found["guid",],
        found["state",],
        found["eventTime",],
        float(found["payload", "data", "temperature"]),
        found.get(("origin", "epoch")),
        None if seq is None else int(seq),
        found.get(("origin", "clock")),
    )
