from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.contract import decode, judge
from isotherm.contract.reading import Clock, Gap, Origin, Reading
from isotherm.contract.reasons import ReadingRejectedError, Reason, Rejection
from isotherm.contract.verdict import MAX_BYTES, MAX_DEPTH
from tests.aggregator.support.oracle import analytics
from tests.support.golden import Verdict, cases

if TYPE_CHECKING:
    from tests.support.golden import Case

GOOD = (
    b'{"guid": "0-ZZZ12345678-08K", "destination": "0-AAA12345678", "state": "CA", '
    b'"eventTime": "2016-11-16T13:26:39.447974Z", '
    b'"payload": {"format": "urn:example:sensor:temp", "data": {"temperature": 59.7}}}'
)
by_name = pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)


def _word(verdict: Reading | Gap | Rejection) -> Verdict:
    match verdict:
        case Rejection():
            return verdict.reason
        case Gap():
            return "gap"
        case _:
            return None


@by_name
def test_golden_verdicts(case: Case) -> None:
    for record, expected, why in zip(case.records, case.verdicts, case.whys, strict=True):
        verdict = judge(record)
        reason = _word(verdict)
        assert reason == expected, f"{why}: {record[:300]!r}: {verdict}"


@by_name
def test_golden_analytics(case: Case) -> None:
    # The plain count of the tests, held against numbers that were written by hand.
    found = analytics(map(decode, case.readings))
    averages = found.average_temperature_by_state
    expected = case.analytics["average_temperature_by_state"]
    assert [state for state, _ in averages] == [state for state, _ in expected]
    assert [mean for _, mean in averages] == pytest.approx([mean for _, mean in expected], abs=1e-9)
    assert case.analytics["total_messages"] == found.total_messages
    assert case.analytics["sensors_by_state"] == list(found.sensors_by_state)
    assert case.analytics["total_sensors"] == found.total_sensors


def test_every_reason_has_golden_records() -> None:
    found = {verdict for case in cases() for verdict in case.verdicts}
    # What the job cannot count is fine by the contract.
    assert found == {None, "gap", *Reason} - {Reason.UNCOUNTABLE}


def test_a_gap_is_no_reading() -> None:
    (case,) = (case for case in cases() if case.name == "gaps")
    with pytest.raises(ReadingRejectedError, match="unknown_format: a gap, not a reading"):
        decode(case.records[0])


def test_a_reading_has_every_field() -> None:
    origin = b', "origin": {"epoch": "5f1c00a27b9d3e44", "seq": 1841, "clock": "corrected"}}'
    assert judge(GOOD[:-1] + origin) == Reading(
        guid="0-ZZZ12345678-08K",
        destination="0-AAA12345678",
        state="CA",
        event_time=1_479_302_799_447_974_000,
        temperature=59.7,
        origin=Origin(epoch="5f1c00a27b9d3e44", seq=1841, clock=Clock.CORRECTED),
    )


def test_a_whole_temperature_becomes_a_float() -> None:
    assert type(decode(GOOD.replace(b"59.7", b"59")).temperature) is float


def test_a_record_may_hold_line_feeds() -> None:
    assert judge(b"\n" + GOOD.replace(b", ", b",\n") + b"\r\n") == judge(GOOD)


def test_decode_raises_what_judge_returns() -> None:
    with pytest.raises(ReadingRejectedError, match=r"^unknown_state: state = 'XX'; One of the 51"):
        decode(GOOD.replace(b'"CA"', b'"XX"'))


@pytest.mark.parametrize(
    ("record", "detail"),
    (
        (b" " * (MAX_BYTES + 1), "65537 bytes, at most 65536"),
        (b'{"a": "\xff"}', "byte 7: invalid start byte"),
        (b"[" * 513, "nested deeper than 512"),
        (b"NaN", "NaN is not JSON"),
        (GOOD.replace(b'"destination"', b'"dest"'), "destination"),
        (GOOD.replace(b"59.7", b'"59.7"'), "payload.data.temperature must be a JSON number"),
        (
            GOOD.replace(b"59.7", b"1e999"),
            "payload.data.temperature = inf; Degrees Fahrenheit, finite, -150 to 310.",
        ),
    ),
)
def test_a_detail_says_where_and_what(record: bytes, detail: str) -> None:
    verdict = judge(record)
    assert isinstance(verdict, Rejection)
    assert verdict.detail == detail


def test_a_detail_is_short_ascii() -> None:
    for record in [record for case in cases() for record in case.records]:
        verdict = judge(record)
        if isinstance(verdict, Rejection):
            assert verdict.detail.isascii(), record[:200]
            assert verdict.detail.isprintable(), record[:200]
            assert len(verdict.detail) < 250, record[:200]


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8")))
def test_never_raises(record: bytes) -> None:
    assert isinstance(judge(record), Rejection)


@pytest.mark.parametrize(
    "record",
    (
        b'"[' * 32_000,
        b"[]" * 32_000,
        b"{" * 600 + b'"' * 60_000,
        b'"' + b"\\" * 60_000 + b"[" * 600,
        GOOD[:-1] + b', "x": [' + b"[]," * 20_000 + b"[]]}",
        GOOD[:-1] + b', "x": "' + b"[" * 600 + b"\\n" * 30_000 + b'"}',
        GOOD.replace(b"59.7", b"59." + b"7" * 60_000),
        GOOD.replace(b"59.7", b"9" * 60_000 + b"e-59998"),
        GOOD.replace(b"447974", b"4" * 60_000),
    ),
    ids=lambda record: ascii(record[-8:]),
)
def test_a_hostile_record_gets_a_verdict(record: bytes) -> None:
    # A pattern that backtracks would take hours over each of these, and so would this test.
    assert len(record) <= MAX_BYTES
    assert isinstance(judge(record), Reading | Gap | Rejection)


@pytest.mark.parametrize("frames", (10, 200, 400))
def test_depth_does_not_hang_on_the_callers_stack(frames: int) -> None:
    deep = GOOD[:-1] + b', "x": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"

    def call(depth: int) -> Reading | Gap | Rejection:
        return call(depth - 1) if depth else judge(deep)

    taken = len(list(_stack()))
    assert call(max(0, frames - taken)) == judge(GOOD)


def _stack() -> list[object]:
    found: list[object] = []
    frame = sys._getframe()  # noqa: SLF001 the public way, inspect.stack, reads source files
    while frame.f_back is not None:
        frame = frame.f_back
        found.append(frame)
    return found
