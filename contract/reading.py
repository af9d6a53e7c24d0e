"""The reading: one temperature of one sensor at one time."""

from __future__ import annotations

import json
from dataclasses import dataclass

from contract.fields import FORMAT, Clock
from contract.moment import format_event_time

__all__ = ["Clock", "Origin", "Reading", "encode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a reading stands in its sensor's sequence, from which losses and doubles are counted.

    Attributes:
        epoch: names one sequence counter; 16 lower-case hex digits.
        seq: counts the readings of this guid and epoch from 1 without gaps.
        clock: what the agent knew of its clock.
    """

    epoch: str
    seq: int
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One temperature of one sensor at one time.

    Attributes:
        guid: names the sensor.
        destination: names whom the reading is for.
        state: one of the 51 codes.
        event_time: nanoseconds since 1970-01-01T00:00:00Z.
        temperature: degrees Fahrenheit.
        origin: the place in the sensor's sequence, where the sender counts.
    """

    guid: str
    destination: str
    state: str
    event_time: int
    temperature: float
    origin: Origin | None = None


def encode(reading: Reading) -> bytes:
    """The reading as one line of JSON in UTF-8, without a newline, fields in contract order.

    Event times are written with six fraction digits; what is finer is cut off.

    Raises:
        ValueError: the temperature is NaN or infinite, or the year is not 1 to 9999.
    """
    wire: dict[str, object] = {
        "guid": reading.guid,
        "destination": reading.destination,
        "state": reading.state,
        "eventTime": format_event_time(reading.event_time),
        "payload": {"format": FORMAT, "data": {"temperature": reading.temperature}},
    }
    if reading.origin is not None:
        wire["origin"] = {
            "epoch": reading.origin.epoch,
            "seq": reading.origin.seq,
            "clock": reading.origin.clock.value,
        }
    return json.dumps(wire, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
