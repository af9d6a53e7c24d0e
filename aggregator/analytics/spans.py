"""Time spans, as people write them and as Spark does."""

from __future__ import annotations

import re
from typing import Any, Final

from isotherm.settings.table import duration

_SPARK_UNITS: Final = {
    **dict.fromkeys(("millisecond", "milliseconds", "ms"), "ms"),
    **dict.fromkeys(("second", "seconds", "s"), "s"),
    **dict.fromkeys(("minute", "minutes", "m"), "m"),
    **dict.fromkeys(("hour", "hours", "h"), "h"),
}
_SHORTEST: Final = 0.001
_INTERVAL = re.compile(r"\s*([0-9.]+)\s*([a-z]+)\s*")


def interval(value: Any) -> float:
    """Parser: a time span in seconds, written as Spark has it (``3 seconds``) or short (``3s``)."""
    match = _INTERVAL.fullmatch(value) if isinstance(value, str) else None
    unit = _SPARK_UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        raise ValueError('write a time span such as "3 seconds" or 3s')
    seconds: float = duration(match[1] + unit)
    if seconds < _SHORTEST:
        raise ValueError("write a time span of 1ms or more")
    return seconds
