"""Sensirion SHT30, SHT31 and SHT35 over I2C; only their temperature is read.

Source: Sensirion, Datasheet SHT3x-DIS, version 7: 2.2 (timing), 4.3 (single shot), 4.12 (checksum),
4.13 (conversion).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_agent.fault import Fault
from edge_agent.i2c_address import NOISY, bus_setting, i2c_address
from edge_agent.probe import Driver, ProbeSettings, stuck_setting
from isotherm.settings.table import setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.site import I2c, Site

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
class Sht3xSettings(ProbeSettings):
    """An SHT3x."""

    stuck_after: int = stuck_setting(60, NOISY)
    bus: int = bus_setting()
    address: int = setting(
        "address", i2c_address(*ADDRESSES), default="0x44", help='Of the chip: "0x44" or "0x45".'
    )


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


def _open(settings: Sht3xSettings, site: Site) -> Sht3xProbe:
    return Sht3xProbe(site.hardware.i2c(settings.bus), settings.address)


DRIVER = Driver(settings=Sht3xSettings, open=_open)
