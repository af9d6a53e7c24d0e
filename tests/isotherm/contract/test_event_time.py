from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.contract.event_time import format_event_time, is_event_time, parse_event_time

FIRST = -62_135_596_800 * 10**9
LAST = 253_402_300_800 * 10**9 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
microseconds = st.integers(FIRST // 1000, LAST // 1000).map(lambda count: count * 1000)


@given(microseconds)
def test_what_is_written_reads_back(nanoseconds: int) -> None:
    assert parse_event_time(format_event_time(nanoseconds)) == nanoseconds


@given(st.integers(FIRST, LAST))
def test_what_is_finer_than_a_microsecond_is_cut_off(nanoseconds: int) -> None:
    written = format_event_time(nanoseconds)
    assert 0 <= nanoseconds - parse_event_time(written) < 1000
    assert len(written) == len("2016-11-16T13:26:39.447974Z")


@given(st.datetimes(timezones=st.just(UTC)))
def test_agrees_with_datetime(moment: datetime) -> None:
    nanoseconds = (moment - EPOCH) // timedelta(microseconds=1) * 1000
    text = moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    assert parse_event_time(text) == nanoseconds
    assert format_event_time(nanoseconds) == text


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    (
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2016-11-16T13:26:39.447974Z", 1_479_302_799_447_974_000),
        ("0001-01-01T00:00:00Z", FIRST),
        ("9999-12-31T23:59:59.999999999Z", LAST),
    ),
)
def test_known_moments(text: str, nanoseconds: int) -> None:
    assert parse_event_time(text) == nanoseconds


@pytest.mark.parametrize("digits", range(1, 10))
def test_fraction_digits(digits: int) -> None:
    text = f"1970-01-01T00:00:00.{'123456789'[:digits]}Z"
    assert parse_event_time(text) == int("123456789"[:digits].ljust(9, "0"))


def test_six_digits_are_written_even_if_they_are_zeros() -> None:
    assert format_event_time(0) == "1970-01-01T00:00:00.000000Z"
    assert format_event_time(FIRST) == "0001-01-01T00:00:00.000000Z"
    assert format_event_time(LAST) == "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize("nanoseconds", (FIRST - 1, LAST + 1, 10**30, -(10**30)))
def test_there_is_no_year_0_nor_10000(nanoseconds: int) -> None:
    with pytest.raises(ValueError, match="year"):
        format_event_time(nanoseconds)


@given(st.tuples(*(st.integers(0, last) for last in (9999, 13, 32, 25, 61, 61))))
def test_the_calendar_is_that_of_datetime(parts: tuple[int, ...]) -> None:
    year, month, day, hour, minute, second = parts
    try:
        datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        exists = True
    except ValueError:
        exists = False
    text = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"
    assert is_event_time(text) is exists


@given(st.text(max_size=40))
def test_parses_exactly_what_is_an_event_time(text: str) -> None:
    if is_event_time(text):
        parse_event_time(text)
    else:
        with pytest.raises(ValueError, match="not an event time"):
            parse_event_time(text)
