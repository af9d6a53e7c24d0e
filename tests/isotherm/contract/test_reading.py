from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.contract import Clock, Gap, Origin, Reading, encode, judge
from isotherm.contract.fields import (
    MAX_GUID_LENGTH,
    MAX_SEQ,
    MAX_TEMPERATURE,
    MAX_WHY_LENGTH,
    MIN_TEMPERATURE,
    is_guid,
)
from isotherm.contract.states import STATES
from isotherm.contract.verdict import MAX_BYTES
from tests.isotherm.contract.test_event_time import microseconds

READING = Reading(
    guid="0-ZZZ12345678-08K",
    destination="0-AAA12345678",
    state="CA",
    event_time=1_479_302_799_447_974_000,
    temperature=59.7,
    origin=Origin(epoch="5f1c00a27b9d3e44", seq=1841, clock=Clock.SYNCED),
)

origins = st.builds(
    Origin,
    epoch=st.integers(0, 2**64 - 1).map(lambda epoch: f"{epoch:016x}"),
    seq=st.integers(1, MAX_SEQ),
    clock=st.sampled_from(Clock),
)
readings = st.builds(
    Reading,
    guid=st.text(min_size=1, max_size=MAX_GUID_LENGTH).filter(is_guid),
    destination=st.text(st.characters(codec="utf-8")),
    state=st.sampled_from(STATES),
    event_time=microseconds,
    temperature=st.floats(MIN_TEMPERATURE, MAX_TEMPERATURE),
    origin=st.none() | origins,
)

gaps = st.builds(
    lambda first, more, count, **rest: Gap(
        first=first, last=first + more, count=min(count, more + 1), **rest
    ),
    guid=st.text(min_size=1, max_size=MAX_GUID_LENGTH).filter(is_guid),
    destination=st.text(st.characters(codec="utf-8")),
    state=st.sampled_from(STATES),
    event_time=microseconds,
    epoch=st.integers(0, 2**64 - 1).map(lambda epoch: f"{epoch:016x}"),
    first=st.integers(1, MAX_SEQ // 2),
    more=st.integers(0, MAX_SEQ // 2),
    count=st.integers(1, MAX_SEQ),
    reason=st.text(min_size=1, max_size=MAX_WHY_LENGTH).filter(str.isprintable),
    origin=origins,
)


@given(readings | gaps)
def test_what_is_encoded_is_judged_to_be_the_same(reading: Reading | Gap) -> None:
    line = encode(reading)
    assert judge(line) == reading
    assert b"\n" not in line


def test_the_bytes_of_a_reading() -> None:
    assert encode(READING) == (
        b'{"guid":"0-ZZZ12345678-08K","destination":"0-AAA12345678","state":"CA",'
        b'"eventTime":"2016-11-16T13:26:39.447974Z",'
        b'"payload":{"format":"urn:example:sensor:temp","data":{"temperature":59.7}},'
        b'"origin":{"epoch":"5f1c00a27b9d3e44","seq":1841,"clock":"synced"}}'
    )


def test_the_bytes_of_a_gap() -> None:
    assert READING.origin is not None
    gap = Gap(
        guid=READING.guid,
        destination=READING.destination,
        state="CA",
        event_time=READING.event_time,
        epoch="5f1c00a27b9d3e44",
        first=12,
        last=40,
        count=29,
        reason="drop_oldest",
        origin=READING.origin,
    )
    assert encode(gap) == (
        b'{"guid":"0-ZZZ12345678-08K","destination":"0-AAA12345678","state":"CA",'
        b'"eventTime":"2016-11-16T13:26:39.447974Z",'
        b'"payload":{"format":"urn:isotherm:gap:1","data":{"epoch":"5f1c00a27b9d3e44",'
        b'"first":12,"last":40,"count":29,"reason":"drop_oldest"}},'
        b'"origin":{"epoch":"5f1c00a27b9d3e44","seq":1841,"clock":"synced"}}'
    )


def test_without_an_origin_there_is_no_such_field() -> None:
    assert "origin" not in json.loads(encode(dataclasses.replace(READING, origin=None)))


def test_a_fraction_of_zero_is_written_all_the_same() -> None:
    reading = dataclasses.replace(READING, event_time=1_479_302_799_000_000_000)
    assert b'"2016-11-16T13:26:39.000000Z"' in encode(reading)


def test_names_are_written_as_utf8_without_escapes() -> None:
    reading = dataclasses.replace(READING, guid="Grün-🌡")
    assert '"Grün-🌡"'.encode() in encode(reading)


@pytest.mark.parametrize("temperature", (math.nan, math.inf, -math.inf))
def test_a_temperature_that_json_cannot_say_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(dataclasses.replace(READING, temperature=temperature))


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encode(dataclasses.replace(READING, destination="\ud800"))


def test_the_largest_reading_is_far_below_the_bound() -> None:
    reading = dataclasses.replace(READING, guid="🌡" * MAX_GUID_LENGTH)
    assert len(encode(reading)) < MAX_BYTES // 50
