"""The verdict on a record: a reading, a gap, or the reason why it is neither.

This is the authority. `isotherm.contract.fast` gives the same verdicts sooner where msgspec is
installed.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from isotherm.contract.event_time import parse_event_time
from isotherm.contract.fields import FIELDS, GAP_FIELDS, GAP_FORMAT, Clock, Field
from isotherm.contract.foreign_json import depth_exceeds, excerpt
from isotherm.contract.reading import Gap, Origin, Reading
from isotherm.contract.reasons import ReadingRejectedError, Reason, Rejection

MAX_BYTES: Final = 65_536
"""A record above this is `too_large`: some 300 times a plain reading, and far below what MQTT
brokers and Kafka take by default (1 MiB)."""

MAX_DEPTH: Final = 512
"""Deeper nesting is `not_json` (RFC 8259 section 9 lets a parser set a limit). Fixed here, since
the interpreter's own limit moves with its version and with the caller's stack."""

_LONG_INTEGER: Final = 20


Found = dict[tuple[str, ...], Any]
"""The valid values of a record under their paths; an optional field may be missing."""


def judge(raw: bytes) -> Reading | Gap | Rejection:
    """Decode one record, or say why it is neither a reading nor a gap.

    Pure; never raises for any bytes. The first failing row of `isotherm.contract.fields.FIELDS`
    decides, or of `GAP_FIELDS` where payload.format says that it is a gap.
    """
    found = examine(raw)
    if isinstance(found, Rejection):
        return found
    return _gap(found) if is_gap(found) else _reading(found)


def is_gap(found: Found) -> bool:
    """Whether what `examine` found is a gap."""
    return bool(found["payload", "format"] == GAP_FORMAT)


def examine(raw: bytes) -> Found | Rejection:  # noqa: PLR0911 a chain of verdicts
    """What `judge` found, before it becomes a `Reading`: every valid value as it came.

    Pure; never raises for any bytes.
    """
    if len(raw) > MAX_BYTES:
        return Rejection(Reason.TOO_LARGE, f"{len(raw)} bytes, at most {MAX_BYTES}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejection(Reason.NOT_UTF8, f"byte {error.start}: {error.reason}")
    if depth_exceeds(text, MAX_DEPTH):
        return Rejection(Reason.NOT_JSON, f"nested deeper than {MAX_DEPTH}")
    try:
        record = _DECODER.decode(text)
    except ValueError as error:
        return Rejection(Reason.NOT_JSON, str(error))
    if not isinstance(record, dict):
        return Rejection(Reason.WRONG_TYPE, "the record must be a JSON object")
    found: Found = {(): record}
    gap = _says_gap(record)
    for field in GAP_FIELDS if gap else FIELDS:
        rejection = _check(field, found)
        if rejection is not None:
            return rejection
    return (gap and _check_gap(found)) or found


def decode(raw: bytes) -> Reading:
    """The reading in `raw`.

    Raises:
        ReadingRejectedError: the record is none; its `rejection` says why.
    """
    verdict = judge(raw)
    if isinstance(verdict, Gap):
        verdict = Rejection(Reason.UNKNOWN_FORMAT, "a gap, not a reading")
    if isinstance(verdict, Rejection):
        raise ReadingRejectedError(verdict)
    return verdict


def _says_gap(record: dict[str, Any]) -> bool:
    payload = record.get("payload")
    return isinstance(payload, dict) and payload.get("format") == GAP_FORMAT


def _check_gap(found: Found) -> Rejection | None:
    """What no single row can say of a gap."""
    first, last, count = (
        int(found["payload", "data", name]) for name in ("first", "last", "count")
    )
    if count <= last - first + 1:
        return None
    return Rejection(Reason.WRONG_TYPE, f"payload.data.count = {count} from {first} to {last}")


def _check(field: Field, found: Found) -> Rejection | None:
    """Judge one row; a value that passes is put into `found` under its path."""
    parent = found.get(field.path[:-1])
    if parent is None:
        return None
    name = field.path[-1]
    value = parent.get(name)
    if value is None and (not field.required or name not in parent):
        return Rejection(Reason.MISSING_FIELD, field.name) if field.required else None
    if not field.kind.accepts(value):
        return Rejection(Reason.WRONG_TYPE, f"{field.name} must be a JSON {field.kind}")
    if field.valid is not None and not field.valid(value):
        return Rejection(field.reason, f"{field.name} = {excerpt(value)}; {field.meaning}")
    found[field.path] = value
    return None


def _origin(found: Found) -> Origin:
    return Origin(
        epoch=found["origin", "epoch"],
        seq=int(found["origin", "seq"]),
        clock=Clock(found["origin", "clock"]),
    )


def _gap(found: Found) -> Gap:
    return Gap(
        guid=found["guid",],
        destination=found["destination",],
        state=found["state",],
        event_time=parse_event_time(found["eventTime",]),
        epoch=found["payload", "data", "epoch"],
        first=int(found["payload", "data", "first"]),
        last=int(found["payload", "data", "last"]),
        count=int(found["payload", "data", "count"]),
        reason=found["payload", "data", "reason"],
        origin=_origin(found),
    )


def _reading(found: Found) -> Reading:
    return Reading(
        guid=found["guid",],
        destination=found["destination",],
        state=found["state",],
        event_time=parse_event_time(found["eventTime",]),
        temperature=float(found["payload", "data", "temperature"]),
        origin=_origin(found) if ("origin",) in found else None,
    )


def _integer(digits: str) -> int | float:
    # Python refuses to read an integer of over 4,300 digits; as a float it is just too large.
    return int(digits) if len(digits) <= _LONG_INTEGER else float(digits)


def _no_constant(name: str) -> NoReturn:
    # json.loads takes NaN and Infinity, RFC 8259 does not.
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)
