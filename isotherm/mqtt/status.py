"""The status that an agent keeps at the broker: retained, one JSON object per device.

The table in docs/contract.md is written from the two classes here.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from isotherm.contract.event_time import format_event_time
from isotherm.contract.fields import MAX_SEQ
from isotherm.contract.foreign_json import ForeignJsonError, decode_object

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = "isotherm.status/1"
_MAX_BYTES: Final = 1 << 20
"""Of a status that is read: some 200 for each of 5,000 probes."""
_NAME_LENGTH: Final = 16
_HEX: Final = frozenset("0123456789abcdef")


def _meaning(text: str, default: Any = dataclasses.MISSING) -> Any:
    return dataclasses.field(default=default, metadata={"meaning": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    """How one probe is."""

    guid: str = _meaning("names the sensor")
    driver: str = _meaning("how it is read")
    fault: str | None = _meaning("why it gave no temperature last time, or null")
    since: int = _meaning("when that began, by the board's clock")
    readings: int = _meaning("temperatures that it gave since the agent started")
    faults: Mapping[str, int] = _meaning("reads that gave none, by fault; only faults that it had")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How one device is; times are nanoseconds since 1970."""

    online: bool = _meaning("false in the last will, and once the agent has ended")
    time: int = _meaning(
        "when this was written, by the board's clock; in a will, when it connected"
    )
    version: str = _meaning("isotherm's")
    boot: str = _meaning("names this start of the board; 32 hex digits")
    life: str = _meaning("names this run of the agent; 16 lower-case hex digits")
    epoch: str = _meaning("names the sequence counters, as `origin.epoch` in a reading")
    next_id: int = _meaning("of the outbox's next entry; rises over all of its sensors together")
    clock: str = _meaning("what new readings say of the board's clock, as `origin.clock`")
    outbox: Mapping[str, Any] = _meaning("rows that wait, and what became of others")
    probes: tuple[ProbeState, ...] = _meaning(
        "how each probe is; none in the last will, and where the broker does not take them all"
    )
    proof: str = _meaning(
        "shows the agent, when it reads this back, that its own outbox or a copy of it wrote "
        "`epoch`, `next_id` and `life`; 32 hex digits",
        default="",
    )


class Mark(NamedTuple):
    """How far a device had counted, as its retained status says.

    Attributes:
        epoch: names the sequence counters.
        next_id: see `Status`.
        life: names the run of the agent that wrote it.
        proof: see `Status`; empty where there is none.
    """

    epoch: str
    next_id: int
    life: str
    proof: str = ""


def encode_status(status: Status) -> bytes:
    """The status as JSON in UTF-8."""
    wire = {"schema": SCHEMA, **_wire(status)}
    wire["probes"] = [_wire(probe) for probe in status.probes]
    return json.dumps(wire, separators=(",", ":"), ensure_ascii=False).encode()


def decode_mark(payload: bytes) -> Mark | None:
    """How far the device had counted; None if the payload is no status of schema 1."""
    try:
        wire = decode_object(payload, max_bytes=_MAX_BYTES)
    except ForeignJsonError:
        return None
    if wire.get("schema") != SCHEMA:
        return None
    proof = wire.get("proof", "")
    proof = proof if isinstance(proof, str) and proof.isascii() else ""
    mark = Mark(wire.get("epoch", ""), wire.get("next_id", 0), wire.get("life", ""), proof)
    return mark if _is_name(mark.epoch) and _is_name(mark.life) and _is_id(mark.next_id) else None


def markdown() -> str:
    """The table for the docs."""
    lines = ["| field | meaning |", "|---|---|", f"| `schema` | always `{SCHEMA}` |"]
    lines += _rows(Status, "") + _rows(ProbeState, "probes[].")
    return "\n".join(lines) + "\n"


def _wire(part: Status | ProbeState) -> dict[str, Any]:
    wire = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    for name in ("time", "since"):
        if name in wire:
            wire[name] = format_event_time(wire[name])
    return wire


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) == _NAME_LENGTH and _HEX.issuperset(value)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_SEQ


def _rows(part: type[Status | ProbeState], prefix: str) -> list[str]:
    return [
        f"| `{prefix}{field.name}` | {field.metadata['meaning']} |"
        for field in dataclasses.fields(part)
    ]
