"""JSON that somebody else wrote, decoded within bounds.

`json.loads` alone raises RecursionError on deep nesting and a plain ValueError on an integer of
over 4,300 digits, takes NaN and Infinity, makes an infinity of 1e999, and lets lone surrogates
through, which then fail wherever they are encoded. Here each of these is a `ForeignJsonError` that
says which, before anything of it is kept.
"""

from __future__ import annotations

import json
import math
import re
from enum import StrEnum
from typing import Any, Final, NoReturn

from isotherm.errors import IsothermError

MAX_DEPTH: Final = 32
"""Nothing that we read has more than seven levels."""
MAX_DIGITS: Final = 40
"""Of an integer: a sum of 128 bits has 39."""
_EXCERPT: Final = 80
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_WHITE: Final = " \t\r\n"


class Fault(StrEnum):
    """What is wrong with it."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    TOO_DEEP = "too_deep"
    NOT_JSON = "not_json"
    NUMBER = "number_out_of_range"
    SURROGATE = "lone_surrogate"
    NOT_OBJECT = "not_an_object"


class ForeignJsonError(IsothermError, ValueError):
    """Somebody else's JSON cannot be used.

    Args:
        fault: which kind.
        detail: the rest of the sentence; holds at most an excerpt of what came, in ASCII.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        self.fault = fault
        self.detail = detail
        super().__init__(detail)


def decode(raw: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Any:
    """The value in `raw`: finite numbers, strings that can be encoded, nesting within bounds.

    Args:
        raw: JSON in UTF-8 (RFC 8259).
        max_bytes: more is not looked at. The value may take some 40 times the memory.
        max_depth: lists and objects within each other.

    Raises:
        ForeignJsonError: it is none, or goes beyond a bound; nothing else is raised for any bytes.
    """
    if len(raw) > max_bytes:
        raise ForeignJsonError(Fault.TOO_LARGE, f"it has {len(raw)} bytes, at most {max_bytes}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        detail = f"it is not UTF-8 (byte {error.start}: {error.reason})"
        raise ForeignJsonError(Fault.NOT_UTF8, detail) from None
    if depth_exceeds(text, max_depth):
        raise ForeignJsonError(Fault.TOO_DEEP, f"it is nested deeper than {max_depth}")
    try:
        found = _DECODER.decode(text)
    except ForeignJsonError:
        raise
    except (ValueError, RecursionError) as error:
        # json's words name the place, and hold nothing of the text.
        raise ForeignJsonError(Fault.NOT_JSON, f"it is not JSON ({error})") from None
    if _SURROGATE.search(text):
        _require_encodable(found)
    return found


def decode_object(raw: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The object in `raw`; see `decode`.

    Raises:
        ForeignJsonError: there is none.
    """
    found = decode(raw, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(found, dict):
        raise ForeignJsonError(Fault.NOT_OBJECT, "it is no JSON object")
    return found


def natural(text: str | bytes, most: int) -> int | None:
    """The number from 0 to `most` that a text of decimal digits is; None for any other text.

    The digits are counted before they are converted: Python refuses more than 4,300 of them, and
    takes the square of their number in time below that.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    digits = text.strip(_WHITE)
    if not (digits.isascii() and digits.isdigit()):
        return None
    digits = digits.lstrip("0") or "0"
    if len(digits) > len(str(most)):
        return None
    number = int(digits)
    return number if number <= most else None


def is_count(value: object, most: int) -> bool:
    """Whether a decoded value is an integer from 0 to `most`; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def is_finite(value: object) -> bool:
    """Whether a decoded value is a number that a float can hold; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def excerpt(value: object) -> str:
    """A value for a line of log: ASCII, since it may hold lone surrogates, and short."""
    text = ascii(value)
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 3]}..."


def depth_exceeds(text: str, limit: int) -> bool:
    """Whether a text of JSON has more lists and objects within each other than `limit`."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for token in _BRACKETS.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
            if depth > limit:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def _require_encodable(found: Any) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ForeignJsonError(Fault.SURROGATE, "it holds half of a surrogate pair") from None


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ForeignJsonError(Fault.NUMBER, f"it holds a number of {len(digits)} digits")
    return int(digits)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ForeignJsonError(Fault.NUMBER, f"it holds a number out of range, {excerpt(text)}")
    return number


def _no_constant(name: str) -> NoReturn:
    # json.loads takes NaN and Infinity, RFC 8259 does not.
    raise ForeignJsonError(Fault.NOT_JSON, f"it is not JSON ({name} is no number)")


_DECODER: Final = json.JSONDecoder(
    parse_int=_integer, parse_float=_float, parse_constant=_no_constant
)
