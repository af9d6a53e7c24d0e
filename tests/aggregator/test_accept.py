"""What Arrow accepts in columns, the contract accepts too, with the same values."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.accept import COLUMNS, accept
from contract.row import Row, judge_row
from tests.aggregator.records import BAD, gap, reading
from tests.contract.draws import readings, records, written
from tests.golden import Case, cases

PLAIN = reading("plain", seq=1)


def accepted(values: list[bytes | None]) -> list[tuple[int, Row]]:
    """The place and the row of each record that was accepted."""
    table, rest = accept(pa.array(values, pa.binary()))
    assert rest == sorted(set(rest))
    places = [place for place in range(len(values)) if place not in set(rest)]
    if table is None:
        assert not places
        return []
    assert set(table.column_names) == set(COLUMNS)
    rows = [
        Row(
            guid=row["guid"],
            state=row["state"],
            event_time=row["moment"] + "Z",
            temperature=row["temperature"],
            epoch=row["epoch"],
            seq=row["seq"],
            clock=row["clock"],
        )
        for row in table.to_pylist()
    ]
    return list(zip(places, rows, strict=True))


def assert_same(values: list[bytes | None]) -> int:
    """Hold what is accepted against the contract; how many that is."""
    found = accepted(values)
    for place, row in found:
        value = values[place]
        assert value is not None
        verdict = judge_row(value)
        assert isinstance(verdict, Row), value
        assert row == verdict, value
        assert [type(cell) for cell in row] == [type(cell) for cell in verdict]
    return len(found)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden_cases_alone_and_among_readings(case: Case) -> None:
    for record in case.records:
        assert_same([record])
        assert_same([PLAIN, record, PLAIN])
    assert_same([PLAIN, *case.records, PLAIN])


def test_plain_readings_are_all_accepted() -> None:
    values: list[bytes | None] = [reading("a", seq=1), reading("b"), reading("a", "NV", -3)]
    extra = reading("c").replace(b'{"guid"', b'{"n":[1,{"x":null}],"guid"')
    assert assert_same([*values, extra]) == 4


def test_a_bad_record_leaves_its_neighbours_accepted() -> None:
    values: list[bytes | None] = [reading(f"s{number}", seq=1) for number in range(5_000)]
    for place, bad in enumerate((*BAD, None, gap(first=1, last=2, count=1))):
        values[place * 97] = bad
    assert assert_same(values) >= 5_000 - 64 * 2 * len(BAD)


@pytest.mark.parametrize(
    "values",
    (
        [PLAIN + PLAIN],
        [PLAIN + PLAIN, PLAIN[:40], PLAIN[40:]],
        [PLAIN + b"\n" + PLAIN, PLAIN],
        # Together these are a reading and a half.
        [PLAIN[:-1] + b',"x":"}', b'{","y":1}', PLAIN + PLAIN],
        [PLAIN[:-1] + b',"x":[{}', b"{}]}", PLAIN + PLAIN],
        [PLAIN.replace(b'"guid"', b'"x":NaN,"guid"')],
        [PLAIN.replace(b'"guid"', b'"x":[-Infinity],"guid"')],
        [PLAIN.replace(b'"guid"', b'"x":"\xff","guid"')],
        [PLAIN.replace(b'"guid"', b'"guid":"other","guid"')],
        [PLAIN.replace(b"2016-11-16", b"2015-02-29")],
    ),
)
def test_nothing_that_is_no_reading_slips_through(values: list[bytes | None]) -> None:
    assert_same(values)
    assert_same([PLAIN, *values])
    assert_same([*values, PLAIN, *values])


def test_any_records_get_the_verdict_of_the_contract() -> None:
    taken = 0
    examples = int(os.environ.get("ISOTHERM_TEST_EXAMPLES", "40"))
    plain = (
        readings.map(lambda record: {**record, "guid": "g", "destination": "d"})
        .flatmap(written)
        .map(lambda text: text.encode("utf-8", "surrogatepass"))
    )
    # A line feed in a record is one reason not to accept it; it must not be the only one.
    drawn = (records | plain).map(lambda record: record.replace(b"\n", b" ").strip())

    @settings(
        # A campaign: ISOTHERM_TEST_EXAMPLES=100000 pytest tests/aggregator/test_accept.py
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(drawn | records, max_size=4))
    def compare(values: list[bytes | None]) -> None:
        nonlocal taken
        for value in values:
            taken += assert_same([value])
        assert_same(values)

    compare()
    assert taken
