"""Sensirion SHT30, SHT31 and SHT35 over I2C; only their temperature is read.

Source: Sensirion, Datasheet SHT3x-DIS, version 7: 2.2 (timing), 4.3 (single shot), 4.12 (checksum),
4.13 (conversion).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_agent.probes.bus import no_answer
from edge_agent.probes.driver import Driver, I2cMock
from edge_agent.probes.drivers.i2c._chip import (
    I2cSettings,
    address_setting,
    find_chips,
    open_chip,
)
from edge_agent.probes.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.probes.bus import I2c

ADDRESSES: Final = (0x44, 0x45)
MEASURE: Final = b"\x24\x00"
"""One measurement, high repeatability, without stretching the bus clock."""
CONVERSION: Final = 0.016
"""Seconds that it takes at most, at any supply: 15.5 ms."""
ANSWER: Final = 6
"""Bytes: temperature and checksum, humidity and checksum."""
LOWEST: Final = -40.0
HIGHEST: Final = 125.0


@dataclass(frozen=True, kw_only=True)
class Sht3xSettings(I2cSettings):
    """Sensirion SHT30, SHT31 or SHT35 on I2C."""

    address: int = address_setting(*ADDRESSES)


def checksum(data: bytes) -> int:
    """CRC-8 of two bytes: polynomial 0x31, begun with 0xFF; 0x92 for BE EF."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def temperature(answer: bytes) -> float | Fault:
    """Degrees Celsius out of the chip's answer."""
    if len(answer) != ANSWER or checksum(answer[:2]) != answer[2]:
        return Fault.CRC
    celsius = int.from_bytes(answer[:2]) * 175 / 65_535 - 45
    return celsius if LOWEST <= celsius <= HIGHEST else Fault.RANGE


class Sht3xProbe:
    """One chip.

    Args:
        bus: to which it is connected.
        address: one of `ADDRESSES`.
        sleep: waits so many seconds.
    """

    def __init__(self, bus: I2c, address: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self._bus = bus
        self._address = address
        self._sleep = sleep

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius; measures for up to 16 ms."""
        self._bus.exchange(self._address, MEASURE, 0)
        self._sleep(CONVERSION)
        return temperature(self._bus.exchange(self._address, b"", ANSWER))


class MockSht3x:
    """An SHT3x: measures on command, and answers once.

    Args:
        celsius: what there is to measure, degrees Celsius.
    """

    def __init__(self, celsius: Callable[[], float]) -> None:
        self._celsius = celsius
        self._answer = b""

    def write(self, data: bytes) -> None:
        """Measure, if that is the command."""
        if data == MEASURE:
            raw = round((self._celsius() + 45) * 65_535 / 175)
            half = max(0, min(raw, 65_535)).to_bytes(2)
            # Half of all the water that the air could hold.
            humidity = b"\x80\x00"
            self._answer = b"".join(word + bytes([checksum(word)]) for word in (half, humidity))

    def read(self, count: int) -> bytes:
        """The last measurement, once; a chip without one does not acknowledge."""
        answer, self._answer = self._answer, b""
        if not answer:
            raise no_answer()
        return answer[:count]


DRIVER = Driver(
    settings=Sht3xSettings,
    open=open_chip(Sht3xProbe),
    find=find_chips("sht3x", Sht3xProbe, ADDRESSES),
    mock=I2cMock(0x44, MockSht3x),
)
