from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.mqtt.length import LARGEST, decode_length, encode_length

# MQTT 5.0, table 1-1.
BOUNDS = (
    (0, "00"),
    (127, "7f"),
    (128, "8001"),
    (321, "c102"),
    (16_383, "ff7f"),
    (16_384, "808001"),
    (2_097_151, "ffff7f"),
    (2_097_152, "80808001"),
    (268_435_455, "ffffff7f"),
)


@pytest.mark.parametrize(("value", "coded"), BOUNDS)
def test_the_bounds_of_the_specification(value: int, coded: str) -> None:
    data = bytes.fromhex(coded)
    assert encode_length(value) == data
    assert decode_length(b"x" + data + b"\xff", 1) == (value, 1 + len(data))


@given(st.integers(0, LARGEST), st.binary(max_size=3), st.binary(max_size=3))
def test_what_is_written_is_read_and_an_unfinished_one_is_awaited(
    value: int, before: bytes, after: bytes
) -> None:
    coded = encode_length(value)
    end = len(before + coded)
    assert decode_length(before + coded + after, len(before)) == (value, end)
    for cut in range(len(coded)):
        assert decode_length(before + coded[:cut], len(before)) is None


@pytest.mark.parametrize("value", (-1, LARGEST + 1))
def test_what_four_bytes_cannot_say_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        encode_length(value)


def test_a_fifth_byte_is_an_error_and_not_awaited() -> None:
    with pytest.raises(ValueError, match="more than four bytes"):
        decode_length(b"\x80\x80\x80\x80", 0)
