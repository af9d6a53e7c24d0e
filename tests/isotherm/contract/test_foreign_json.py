from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from isotherm.contract.foreign_json import (
    MAX_DEPTH,
    MAX_DIGITS,
    Fault,
    ForeignJsonError,
    decode,
    decode_object,
    excerpt,
    is_count,
    is_finite,
    natural,
)

ROOM = 1 << 20


@pytest.mark.parametrize(
    ("raw", "fault"),
    (
        (b"[" * 100_000, Fault.TOO_DEEP),
        (b'{"a":' * 100_000, Fault.TOO_DEEP),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), Fault.TOO_DEEP),
        (b" " * (ROOM + 1), Fault.TOO_LARGE),
        (b"\xff", Fault.NOT_UTF8),
        (b'"\xed\xa0\x80"', Fault.NOT_UTF8),
        (b"", Fault.NOT_JSON),
        (b"{", Fault.NOT_JSON),
        (b"\xef\xbb\xbf{}", Fault.NOT_JSON),
        (b"NaN", Fault.NOT_JSON),
        (b"[-Infinity]", Fault.NOT_JSON),
        (b"1" * (MAX_DIGITS + 1), Fault.NUMBER),
        (b'{"a":' + b"9" * 5_000 + b"}", Fault.NUMBER),
        (b"1e999", Fault.NUMBER),
        (b"-1e999", Fault.NUMBER),
        (b'{"a":"\\ud800"}', Fault.SURROGATE),
        (b'{"\\uDfff":1}', Fault.SURROGATE),
        (b'["\\ude00\\ud83d"]', Fault.SURROGATE),
    ),
    ids=lambda value: value if isinstance(value, Fault) else "",
)
def test_each_kind_of_fault_is_named(raw: bytes, fault: Fault) -> None:
    with pytest.raises(ForeignJsonError) as caught:
        decode(raw, max_bytes=ROOM)
    assert caught.value.fault is fault
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("raw", "value"),
    (
        (b' {"a": [1, 2.5, null, true, "\\u00e9\xc3\xa9"]} ', {"a": [1, 2.5, None, True, "éé"]}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"[[[["', "[[[["),
        (b"1" * MAX_DIGITS, int("1" * MAX_DIGITS)),
        (b"1e-999", 0.0),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
    ),
)
def test_what_is_in_bounds_is_as_json_reads_it(raw: bytes, value: Any) -> None:
    assert decode(raw, max_bytes=ROOM) == value


@pytest.mark.parametrize("raw", (b"[]", b"1", b"null", b'"text"'))
def test_what_must_be_an_object_is_one(raw: bytes) -> None:
    assert decode_object(b"{}", max_bytes=ROOM) == {}
    with pytest.raises(ForeignJsonError) as caught:
        decode_object(raw, max_bytes=ROOM)
    assert caught.value.fault is Fault.NOT_OBJECT


@given(some.binary(max_size=64) | some.text(alphabet='[]{}",:\\ud8019eE+-.NaN ').map(str.encode))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    try:
        found = decode(raw, max_bytes=ROOM)
    except ForeignJsonError:
        return
    again = json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    assert decode(again, max_bytes=ROOM) == found


def test_what_is_too_large_takes_no_memory() -> None:
    raw = b"[" + b"[]," * (2 << 20) + b"[]]"
    tracemalloc.start()
    try:
        with pytest.raises(ForeignJsonError):
            decode(raw, max_bytes=ROOM)
        assert tracemalloc.get_traced_memory()[1] < ROOM
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "number"),
    (
        ("0", 0),
        ("60", 60),
        ("000000060", 60),
        (b" 7\n", 7),
        ("61", None),
        ("000000060100000", None),
        ("9" * 5_000, None),
        (b"9" * 5_000, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1_0", None),
        ("6.0", None),
        ("²", None),
        ("٣", None),
        (b"\xff", None),
    ),
)
def test_a_natural_number_is_measured_before_it_is_converted(
    text: str | bytes, number: int | None
) -> None:
    assert natural(text, 60) == number


def test_an_overlong_integer_is_no_finite_number_and_true_is_no_number() -> None:
    assert is_finite(1)
    assert is_finite(-1.5)
    assert not is_finite(10**400)
    assert not is_finite(float("inf"))
    assert not is_finite(True)
    assert not is_finite("1")
    assert is_count(3, 3)
    assert not any(is_count(value, 3) for value in (4, -1, True, 1.0, None))


def test_an_excerpt_is_short_and_can_be_written() -> None:
    assert excerpt("\ud800") == r"'\ud800'"
    assert len(excerpt("x" * 1_000)) == 80
