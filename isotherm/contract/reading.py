"""The reading: one temperature of one sensor at one time; and the gap, for those that are lost."""

from __future__ import annotations

import json
from dataclasses import dataclass

from isotherm.contract.event_time import format_event_time
from isotherm.contract.fields import FORMAT, GAP_FORMAT, Clock

__all__ = ["Clock", "Gap", "Origin", "Reading", "encode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a reading stands in its sensor's sequence, from which losses and doubles are counted.

    Attributes:
        epoch: names one sequence counter; 16 lower-case hex digits.
        seq: counts the records of this guid and epoch from 1 without gaps.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Readings that a sender had and dropped; sent like a reading, so that they are accounted for.

    Attributes:
        guid: names the sensor.
        destination: names whom the readings were for.
        state: one of the 51 codes.
        event_time: when they were dropped, nanoseconds since 1970-01-01T00:00:00Z.
        epoch: of the dropped readings.
        first: their lowest seq.
        last: their highest seq.
        count: how many were dropped; fewer than there are from first to last if others remained.
        reason: why, in a word.
        origin: the gap's own place in the sensor's sequence.
    """

    guid: str
    destination: str
    state: str
    event_time: int
    epoch: str
    first: int
    last: int
    count: int
    reason: str
    origin: Origin


def encode(record: Reading | Gap) -> bytes:
    """The record as one line of JSON in UTF-8, without a newline, fields in contract order.

    Event times are written with six fraction digits; what is finer is cut off.

    Raises:
        ValueError: the temperature is NaN or infinite, or the year is not 1 to 9999.
    """
    if isinstance(record, Reading):
        payload = {"format": FORMAT, "data": {"temperature": record.temperature}}
    else:
        payload = {
            "format": GAP_FORMAT,
            "data": {
                "epoch": record.epoch,
                "first": record.first,
                "last": record.last,
                "count": record.count,
                "reason": record.reason,
            },
        }
    wire: dict[str, object] = {
        "guid": record.guid,
        "destination": record.destination,
        "state": record.state,
        "eventTime": format_event_time(record.event_time),
        "payload": payload,
    }
    if record.origin is not None:
        wire["origin"] = {
            "epoch": record.origin.epoch,
            "seq": record.origin.seq,
            "clock": record.origin.clock.value,
        }
    return json.dumps(wire, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
