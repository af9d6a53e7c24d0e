"""Readings for the bridge's tests."""

from __future__ import annotations

from isotherm.contract import Clock, Origin, Reading, encode


def reading(guid: str = "sensor-1", seq: int = 1, temperature: float = 59.7) -> bytes:
    return encode(
        Reading(
            guid=guid,
            destination="0-AAA12345678",
            state="CA",
            event_time=1_479_302_799_447_974_000 + seq,
            temperature=temperature,
            origin=Origin(epoch="5f1c000000000000", seq=seq, clock=Clock.SYNCED),
        )
    )
