"""Bosch BME280 and BMP280 over I2C; only their temperature is read.

Source: Bosch BST-BME280-DS001 and BST-BMP280-DS001: registers in the chapter "Memory map",
formula in "Compensation formulas in double precision floating point".
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.fault import Fault
from edge_agent.i2c_address import NOISY, bus_setting, i2c_address
from edge_agent.probe import Driver, ProbeSettings, stuck_setting
from isotherm.settings.table import setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.site import I2c, Site

ADDRESSES: Final = (0x76, 0x77)
CHIPS: Final = {0x60: "BME280", 0x58: "BMP280", 0x57: "BMP280", 0x56: "BMP280"}
"""What the id register says; 0x56 and 0x57 are early samples."""

ID: Final = 0xD0
CALIBRATION: Final = 0x88
STATUS: Final = 0xF3
MEASURING: Final = 0x08
CONTROL: Final = 0xF4
FORCED_16X: Final = 0xA1
"""Measure once, the temperature alone, with 16-fold oversampling, which gives all 20 bits."""
TEMPERATURE: Final = 0xFA
SKIPPED: Final = 0x80000
"""What the register holds before the first measurement."""
CONVERSION: Final = 0.039
"""Seconds that a measurement takes at most: 1.25 ms + 16 · 2.3 ms."""
LOOKS: Final = 10
"""How often to look whether it is done, each `CONVERSION` later."""
LOWEST: Final = -40.0
HIGHEST: Final = 85.0


@dataclass(frozen=True, kw_only=True)
class Bme280Settings(ProbeSettings):
    """A BME280 or BMP280."""

    stuck_after: int = stuck_setting(60, NOISY)
    bus: int = bus_setting()
    address: int = setting(
        "address", i2c_address(*ADDRESSES), default="0x76", help='Of the chip: "0x76" or "0x77".'
    )


class Calibration(NamedTuple):
    """dig_T1 to dig_T3 of the data sheet, which differ from chip to chip."""

    t1: int
    t2: int
    t3: int


def compensated(raw: int, calibration: Calibration) -> float:
    """Degrees Celsius out of the 20 bits of the temperature register."""
    t1, t2, t3 = calibration
    first = (raw / 16_384 - t1 / 1_024) * t2
    second = (raw / 131_072 - t1 / 8_192) ** 2 * t3
    return (first + second) / 5_120


class Bme280Probe:
    """One chip. Nothing is remembered between two reads, so that it may be changed for another.

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
        """The temperature in degrees Celsius; measures for up to 39 ms."""
        chip = self._registers(ID, 1)[0]
        if chip not in CHIPS:
            raise OSError(f"the chip at {self._address:#04x} says id {chip:#04x}: not a BME280")
        calibration = Calibration(*struct.unpack("<Hhh", self._registers(CALIBRATION, 6)))
        if calibration.t1 in (0, 0xFFFF) or calibration.t2 in (0, -1):
            return Fault.CRC
        self._bus.exchange(self._address, bytes([CONTROL, FORCED_16X]), 0)
        for _ in range(LOOKS):
            self._sleep(CONVERSION)
            if not self._registers(STATUS, 1)[0] & MEASURING:
                break
        else:
            return Fault.TIMEOUT
        raw = int.from_bytes(self._registers(TEMPERATURE, 3)) >> 4
        if raw == SKIPPED:
            return Fault.RESET
        celsius = compensated(raw, calibration)
        return celsius if LOWEST <= celsius <= HIGHEST else Fault.RANGE

    def _registers(self, first: int, count: int) -> bytes:
        return self._bus.exchange(self._address, bytes([first]), count)


def _open(settings: Bme280Settings, site: Site) -> Bme280Probe:
    return Bme280Probe(site.hardware.i2c(settings.bus), settings.address)


DRIVER = Driver(settings=Bme280Settings, open=_open)
