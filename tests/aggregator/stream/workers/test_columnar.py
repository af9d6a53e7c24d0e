"""What Arrow accepts in columns, the contract accepts too, with the same values."""

from __future__ import annotations

import os
from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.stream.workers.columnar import COLUMNS, accept
from isotherm.contract.fields import FORMAT
from isotherm.contract.row import Row, judge_row
from isotherm.contract.states import STATES
from tests.aggregator.support.records import BAD, gap, reading
from tests.isotherm.contract.draws import readings, records, written
from tests.support.golden import Case, cases

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
    examples = int(os.environ.get("ISOTHERM_TEST_EXAMPLES", "40"))
    plain = (
        readings.map(lambda record: {**record, "guid": "g", "destination": "d"})
        .flatmap(written)
        .map(lambda text: text.encode("utf-8", "surrogatepass"))
    )
    # A line feed in a record is one reason not to accept it; it must not be the only one.
    drawn = (records | plain).map(lambda record: record.replace(b"\n", b" ").strip())

    @settings(
        # A campaign: ISOTHERM_TEST_EXAMPLES=100000 pytest
        # tests/aggregator/stream/workers/test_columnar.py
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(drawn | records, max_size=4))
    def compare(values: list[bytes | None]) -> None:
        for value in values:
            assert_same([value])
        assert_same(values)

    compare()


NUMBERS = (
    *("59.7", "60", "-0", "0.0", "5.97e1", "597E-1", "1e2", "0.1e-5", "-150", "310", "310.0001"),
    *("59.700000000000002842170943040400743", "1e-400", "1e999", "NaN", "-Infinity", "01", "+1"),
    *(".5", "5.", "1e", "0x10", '"59.7"', "null", "true", "[]"),
)
SEQS = (
    *("1", "7", "9007199254740991", "9007199254740992", "9223372036854775807"),
    *("9223372036854775808", "0", "-1", "1.0", "1e1", "null"),
)
TIMES = (
    *("2016-11-16T13:26:39Z", "2016-11-16T13:26:39.447974Z", "2016-11-16T13:26:39.123456789Z"),
    *("2016-02-29T00:00:00Z", "2015-02-29T00:00:00Z", "2016-11-16T24:00:00Z", "2016-11-16T13:26Z"),
    *(
        "2016-11-16T13:26:60Z",
        "2016-11-16 13:26:39Z",
        "2016-11-16T13:26:39.Z",
        "0000-01-01T00:00:00Z",
    ),
)
GUIDS = (
    "g",
    "0-ZZZ12345678-08K",
    "\\u0041b",
    "\\ud83d\\ude00",
    "\\ud83d",
    "a\\u0000",
    "ü",
    "",
    "x" * 129,
)
STRANGE = (
    *("", "", "", "", '"x":1,', '"x":{"y":[null,true,"}{"]},', '"x":"\\u2028",', '"x":1e999,'),
    *('"x":NaN,', '"guid":"twice",', '"origin":{},', '"":[],', '"x":"\t",', '"x":1}\n{"x":1,'),
)


def drawn_record(draw: Random) -> bytes:
    """A reading, more often than not, in one of many spellings; now and then one byte is wrong."""
    usual = draw.random() < 0.7

    def one(values: tuple[str, ...]) -> str:
        return values[draw.randrange(3 if usual else len(values))]

    number = one(NUMBERS) if draw.random() < 0.5 else repr(draw.uniform(-150, 310))
    origin = f'{{"epoch":"5f1c000000000000","seq":{one(SEQS)},"clock":"synced"}}'
    fields = [
        f'"guid":"{one(GUIDS)}"',
        '"destination":"d"',
        f'"state":"{draw.choice(("CA", "AK", "XX") if not usual else STATES)}"',
        f'"eventTime":"{one(TIMES)}"',
        f'"payload":{{"format":"{FORMAT}","data":{{"temperature":{number}}}}}',
        *draw.choice(((), (f'"origin":{origin}',), ('"origin":null',))),
    ]
    draw.shuffle(fields)
    separator = draw.choice((",", ", ", " , "))
    raw = bytearray(f"{{{draw.choice(STRANGE)}{separator.join(fields)}}}".encode())
    if draw.random() < 0.2:
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    return bytes(raw)


def test_readings_in_many_spellings_get_the_verdict_of_the_contract() -> None:
    draw = Random(20161116)
    taken = 0
    # A campaign: ISOTHERM_TEST_EXAMPLES=100000
    left = 25 * int(os.environ.get("ISOTHERM_TEST_EXAMPLES", "40"))
    while left > 0:
        values: list[bytes | None] = [drawn_record(draw) for _ in range(draw.randint(1, 100))]
        left -= len(values)
        taken += sum(assert_same([value]) for value in values)
        assert_same(values)
    assert taken > len(NUMBERS)
