from __future__ import annotations

import importlib
import os
import sys
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

import isotherm.contract.fast
from isotherm.contract.reasons import Rejection
from isotherm.contract.row import GapRow, Row
from isotherm.contract.row import judge_row as judge_row_slowly
from tests.bridge.readings import reading
from tests.isotherm.contract.draws import records
from tests.support.golden import Case, cases

needs_msgspec = pytest.mark.skipif(
    not isotherm.contract.fast.HAVE_MSGSPEC, reason="without msgspec there is only one way"
)


def assert_same(record: bytes) -> Row | GapRow | Rejection:
    fast, slow = isotherm.contract.fast.judge_row(record), judge_row_slowly(record)
    assert fast == slow
    # == takes 1 for 1.0 and True; a column of a frame does not.
    assert [type(value) for value in _cells(fast)] == [type(value) for value in _cells(slow)]
    guid = isotherm.contract.fast.judge_guid(record)
    assert guid == (fast if isinstance(fast, Rejection) else fast.guid)
    return fast


def _cells(verdict: Row | GapRow | Rejection) -> tuple[object, ...]:
    return (verdict.reason, verdict.detail) if isinstance(verdict, Rejection) else verdict


@needs_msgspec
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden_cases_get_the_same_verdict_both_ways(case: Case) -> None:
    for record in case.records:
        assert_same(record)


@needs_msgspec
def test_any_record_gets_the_same_verdict_both_ways() -> None:
    seen: Counter[str] = Counter()

    @settings(
        # A campaign: ISOTHERM_TEST_EXAMPLES=200000 pytest tests/isotherm/contract/test_fast.py
        max_examples=int(os.environ.get("ISOTHERM_TEST_EXAMPLES", "200")),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(records)
    def compare(record: bytes) -> None:
        verdict = assert_same(record)
        seen[verdict.reason if isinstance(verdict, Rejection) else type(verdict).__name__] += 1

    compare()
    # Else nothing but refusals would have been compared.
    assert {"Row", "GapRow", "not_json", "wrong_type"} <= seen.keys()


def test_without_msgspec_every_record_goes_the_slow_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    monkeypatch.delitem(sys.modules, "isotherm.contract.fast")
    alone = importlib.import_module("isotherm.contract.fast")

    assert not alone.HAVE_MSGSPEC
    assert alone.judge_row is judge_row_slowly
    assert alone.judge_guid(b"hello") == judge_row_slowly(b"hello")
    assert alone.judge_guid(reading("g")) == "g"
