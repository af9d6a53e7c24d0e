"""What a probe gave, before it has a place in a sequence and a time that can be trusted."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """One temperature.

    Attributes:
        guid: names the sensor.
        state: one of the 51 codes.
        temperature: degrees Fahrenheit.
        wall: what the system clock said, nanoseconds since 1970; it may have been wrong.
        uptime: nanoseconds since the board started, suspension included; never wrong.
    """

    guid: str
    state: str
    temperature: float
    wall: int
    uptime: int
