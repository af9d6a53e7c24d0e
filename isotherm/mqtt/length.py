"""MQTT's variable byte integers (MQTT 5.0, section 1.5.5; the lengths of 3.1.1, section 2.2.3)."""

from __future__ import annotations

from typing import Final

MOST_BYTES: Final = 4
LARGEST: Final = 0xFFF_FFFF
"""The largest that four bytes can say."""
_MORE: Final = 0x80
"""The bit that says that another byte follows."""


def encode_length(value: int) -> bytes:
    """The bytes of an integer.

    Raises:
        ValueError: it is below 0 or above `LARGEST`.
    """
    if not 0 <= value <= LARGEST:
        raise ValueError(f"no variable byte integer can be {value}")
    coded = bytearray()
    while value >= _MORE:
        coded.append(value & 0x7F | _MORE)
        value >>= 7
    coded.append(value)
    return bytes(coded)


def decode_length(data: bytes, at: int) -> tuple[int, int] | None:
    """The integer at a place of `data`, and where it ends; None while it is unfinished.

    Raises:
        ValueError: it has more than four bytes.
    """
    value = 0
    for index in range(MOST_BYTES):
        if at + index >= len(data):
            return None
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < _MORE:
            return value, at + index + 1
    raise ValueError("a variable byte integer of more than four bytes")
