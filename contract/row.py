"""A reading as flat columns, and the slower of the two ways to it."""

from __future__ import annotations

from typing import NamedTuple

from contract.reasons import Rejection
from contract.verdict import examine


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


def judge_row(raw: bytes) -> Row | Rejection:
    """Judge one record: a `Row` if it is a reading, else a `Rejection`; pure, never raises."""
    found = examine(raw)
    if isinstance(found, Rejection):
        return found
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
