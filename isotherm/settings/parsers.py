"""Parsers of settings: each makes a value of what a file, the environment or a flag gave."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")
Parser = Callable[[Any], Any]
"""Makes a value out of what TOML, the environment or a flag gave.

It raises ValueError, and nothing else, with a sentence that says what to write instead. Text from
the environment and from flags comes as str; TOML may give numbers, booleans, lists and times too.
"""


def text(value: Any) -> str:
    """Parser: text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text that is not empty")
    return value


def boolean(value: Any) -> bool:
    """Parser: true or false."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("write true or false")


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Parser: a whole number between two bounds, both included."""

    def parse(value: Any) -> int:
        fix = f"write a whole number from {low} to {high}"
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(fix)
        try:
            number = int(value)
        except ValueError:
            raise ValueError(fix) from None
        if not low <= number <= high:
            raise ValueError(fix)
        return number

    return parse


def choice(*words: str) -> Callable[[Any], str]:
    """Parser: one of a few words."""

    def parse(value: Any) -> str:
        # TOML's 5 means the word "5".
        word = str(value) if isinstance(value, int) else value
        if word not in words:
            raise ValueError(f"write one of: {', '.join(words)}")
        return str(word)

    return parse


_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(value: Any) -> float:
    """Parser: a time span in seconds out of ``500ms``, ``5s``, ``1.5m``, ``2h``, ``1d``, over 0."""
    fix = "write a time span such as 500ms, 5s, 2m, 1h or 1d"
    if not isinstance(value, str):
        raise ValueError(fix)
    unit = value.lstrip("0123456789.")
    try:
        seconds = float(value.removesuffix(unit)) * _UNITS[unit]
    except (ValueError, KeyError):
        raise ValueError(fix) from None
    if not 0 < seconds < math.inf:
        raise ValueError(f"{fix}, over 0 and finite")
    return seconds


def span(low: float, high: float) -> Callable[[Any], float]:
    """Parser: a time span between two bounds in seconds, both included."""

    def parse(value: Any) -> float:
        seconds = duration(value)
        if not low <= seconds <= high:
            raise ValueError(f"write a time span from {low:g}s to {high:g}s")
        return seconds

    return parse


def optional(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Parser: what another one takes, or nothing."""
    return lambda value: None if value is None else parse(value)


def several(parse: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Parser: a list in TOML, comma-separated text in the environment, or a repeated flag."""

    def parse_all(value: Any) -> tuple[T, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not items:
            raise ValueError("write a list of at least one")
        return tuple(parse(item.strip() if isinstance(item, str) else item) for item in items)

    return parse_all
