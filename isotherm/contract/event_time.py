"""Event times: RFC 3339 UTC text on the wire, integer nanoseconds since 1970 in the program."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

NS_PER_SECOND: Final = 1_000_000_000

# RFC 3339 section 5.6, narrowed to UTC written as "Z"; `datetime` checks the calendar, but takes
# 24:00 from Python 3.14 on. [0-9] is the same in every engine, \d is not.
EVENT_TIME_PATTERN: Final = (
    r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?Z$"
)
_EVENT_TIME = re.compile(EVENT_TIME_PATTERN.strip("^$"))
_MINUTE_LENGTH: Final = len("2016-11-16T13:26:")
_SECONDS = re.compile(r"[0-5][0-9](?:\.[0-9]{1,9})?Z")


def is_event_time(text: str) -> bool:
    """Whether `text` is a time as the contract has it: UTC with `Z`, 0 to 9 fraction digits.

    The calendar counts: 30 February is none, and neither is a leap second (`:60`), which POSIX
    clocks cannot say.
    """
    if _SECONDS.fullmatch(text, _MINUTE_LENGTH) is None:
        return False
    return _is_minute(text[:_MINUTE_LENGTH])


# Readings of one time share their minute, so the costly half is seldom looked at.
@lru_cache(maxsize=4096)
def _is_minute(text: str) -> bool:
    """Whether it is the beginning of a time, such as ``2016-11-16T13:26:``."""
    if _EVENT_TIME.fullmatch(f"{text}00Z") is None:
        return False
    try:
        datetime.fromisoformat(text[:-1])
    except ValueError:
        return False
    return True


def parse_event_time(text: str) -> int:
    """Nanoseconds since 1970-01-01T00:00:00Z.

    Raises:
        ValueError: `text` is not an event time (see `is_event_time`).
    """
    if not is_event_time(text):
        raise ValueError(f"not an event time: {text!r}; write it like 2016-11-16T13:26:39.447974Z")
    whole = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    fraction = text[20:-1]
    nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
    return int(whole.timestamp()) * NS_PER_SECOND + nanoseconds


def format_event_time(nanoseconds: int) -> str:
    """UTC text with six fraction digits, always; what is finer than a microsecond is cut off.

    Args:
        nanoseconds: since 1970-01-01T00:00:00Z; years 1 to 9999.

    Raises:
        ValueError: the year is not between 1 and 9999.
    """
    seconds, rest = divmod(nanoseconds, NS_PER_SECOND)
    try:
        whole = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{nanoseconds} ns is no year from 1 to 9999") from error
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z".rjust(27, "0")
