"""One row of the outbox: a sample, or a gap, with its place in its sensor's sequence."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from isotherm.contract.reading import Clock, Gap, Origin, Reading, encode


class Lost(NamedTuple):
    """What a gap says; see `isotherm.contract.reading.Gap`."""

    epoch: str
    first: int
    last: int
    dropped: int
    reason: str


class Entry(NamedTuple):
    """What waits in the outbox.

    Attributes:
        id: rises with every entry of the store, over all sensors and epochs.
        guid: names the sensor.
        epoch: names the sequence.
        seq: its place in it.
        state: one of the 51 codes.
        wall: what the system clock said, nanoseconds since 1970.
        uptime: nanoseconds since the board started.
        boot: which start of the board that was, 32 hex digits.
        synced: whether the system clock was in sync then.
        temperature: degrees Fahrenheit; None for a gap.
        lost: what a gap says; None for a reading.
    """

    id: int
    guid: str
    epoch: str
    seq: int
    state: str
    wall: int
    uptime: int
    boot: str
    synced: bool
    temperature: float | None
    lost: Lost | None = None

    def checksum(self) -> int:
        """CRC-32 over all facts: SQLite does not see a flipped bit inside a row."""
        return zlib.crc32(repr(tuple(self)).encode("utf-8", "surrogatepass"))


def encoded(entry: Entry, *, destination: str, event_time: int, clock: Clock) -> bytes:
    """The reading or gap as one line of JSON.

    Args:
        entry: what waits.
        destination: whom it is for.
        event_time: nanoseconds since 1970.
        clock: how far the event time can be trusted.
    """
    origin = Origin(epoch=entry.epoch, seq=entry.seq, clock=clock)
    if entry.lost is None:
        assert entry.temperature is not None
        return encode(
            Reading(
                guid=entry.guid,
                destination=destination,
                state=entry.state,
                event_time=event_time,
                temperature=entry.temperature,
                origin=origin,
            )
        )
    return encode(
        Gap(
            guid=entry.guid,
            destination=destination,
            state=entry.state,
            event_time=event_time,
            epoch=entry.lost.epoch,
            first=entry.lost.first,
            last=entry.lost.last,
            count=entry.lost.dropped,
            reason=entry.lost.reason,
            origin=origin,
        )
    )
