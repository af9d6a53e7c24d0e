"""The same verdicts as `isotherm.contract.row`, sooner, where msgspec is installed.

msgspec accepts a clean reading in one pass in C; whatever it does not accept goes to
`isotherm.contract.row.judge_row`, which alone gives reasons, and alone knows gaps. So this module
may be slow about a strange record, but never of another opinion: all that must hold is that what it
accepts, the other accepts too (tests/isotherm/contract/test_fast.py draws records until it finds
one that differs).

Without msgspec, as on a worker that has only Python, every record takes the other way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from isotherm.contract.event_time import is_event_time
from isotherm.contract.fields import (
    EPOCH_PATTERN,
    MAX_SEQ,
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    is_guid,
)
from isotherm.contract.reasons import Rejection
from isotherm.contract.row import Row
from isotherm.contract.row import judge_row as judge_row_slowly
from isotherm.contract.states import MEAN_TEMPERATURE
from isotherm.contract.verdict import MAX_BYTES, MAX_DEPTH

if TYPE_CHECKING:
    from isotherm.contract.row import GapRow


def _judge_guid_slowly(raw: bytes) -> str | Rejection:
    verdict = judge_row_slowly(raw)
    return verdict if isinstance(verdict, Rejection) else verdict.guid


try:
    import msgspec
except ImportError:
    HAVE_MSGSPEC: Final = False
    judge_row = judge_row_slowly
    judge_guid = _judge_guid_slowly
else:
    HAVE_MSGSPEC = True  # type: ignore[misc]

    class _Data(msgspec.Struct, gc=False):
        temperature: Annotated[float, msgspec.Meta(ge=MIN_TEMPERATURE, le=MAX_TEMPERATURE)]

    class _Payload(msgspec.Struct, gc=False):
        format: Literal["urn:example:sensor:temp"]
        data: _Data

    class _Origin(msgspec.Struct, gc=False):
        # Python's $ also matches before a last newline.
        epoch: Annotated[str, msgspec.Meta(pattern=EPOCH_PATTERN, max_length=16)]
        seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
        clock: Literal["synced", "corrected", "unsynced"]

    class _Record(msgspec.Struct, gc=False, rename="camel"):
        guid: str
        destination: str
        state: Literal[tuple(MEAN_TEMPERATURE)]  # type: ignore[valid-type] # mypy sees no values
        event_time: str
        payload: _Payload
        origin: _Origin | None = None

    _decode = msgspec.json.Decoder(_Record).decode
    _REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

    def _accept(raw: bytes) -> _Record | None:
        """The record if it is a reading for certain."""
        size = len(raw)
        # A record shorter than two brackets a level cannot be nested too deep; in a longer one
        # they are counted.
        if size > 2 * MAX_DEPTH and (
            size > MAX_BYTES or raw.count(b"[") + raw.count(b"{") > MAX_DEPTH
        ):
            return None
        try:
            # msgspec skips over bytes that are not UTF-8 in fields that it does not know.
            if not raw.isascii():
                raw.decode("utf-8")
            record = _decode(raw)
        except _REFUSED:
            return None
        if is_guid(record.guid) and is_event_time(record.event_time):
            return record
        return None

    def judge_row(raw: bytes) -> Row | GapRow | Rejection:
        """What `isotherm.contract.row.judge_row` says; pure, never raises."""
        record = _accept(raw)
        if record is None:
            return judge_row_slowly(raw)
        temperature = record.payload.data.temperature
        if (origin := record.origin) is None:
            return Row(record.guid, record.state, record.event_time, temperature, None, None, None)
        return Row(
            record.guid,
            record.state,
            record.event_time,
            temperature,
            origin.epoch,
            origin.seq,
            origin.clock,
        )

    def judge_guid(raw: bytes) -> str | Rejection:
        """Judge one record: its guid if it is a reading or a gap, else a `Rejection`."""
        record = _accept(raw)
        return _judge_guid_slowly(raw) if record is None else record.guid
