"""Bosch BME280 and BMP280 over I2C; only their temperature is read.

Source: Bosch BST-BME280-DS001 and BST-BMP280-DS001: registers in the chapter "Memory map",
formula in "Compensation formulas in double precision floating point".
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

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
class Bme280Settings(I2cSettings):
    """Bosch BME280 or BMP280 on I2C."""

    address: int = address_setting(*ADDRESSES)


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


EXAMPLE: Final = Calibration(27_504, 26_435, -1_000)
"""That of the example in the BMP280's data sheet, 3.12."""


class MockBme280:
    """A BME280: registers, of which the first byte of a write chooses one.

    Args:
        celsius: what there is to measure, degrees Celsius.
        chip: what its id register says.
    """

    def __init__(self, celsius: Callable[[], float], chip: int = 0x60) -> None:
        self._celsius = celsius
        self._chosen = 0
        self.registers = bytearray(256)
        self.registers[ID] = chip
        self.registers[CALIBRATION : CALIBRATION + 6] = struct.pack("<Hhh", *EXAMPLE)
        self._measured(SKIPPED)

    def write(self, data: bytes) -> None:
        """Choose a register, and set it where more bytes follow."""
        self._chosen = data[0]
        for value in data[1:]:
            self.registers[self._chosen] = value
            if self._chosen == CONTROL and value & 0b11:
                self._measured(self._raw())
                # It measures once, and goes back to sleep.
                self.registers[CONTROL] = value & ~0b11

    def read(self, count: int) -> bytes:
        """So many registers from the chosen one on."""
        return bytes(self.registers[self._chosen : self._chosen + count])

    def _measured(self, raw: int) -> None:
        self.registers[TEMPERATURE : TEMPERATURE + 3] = (raw << 4).to_bytes(3)

    def _raw(self) -> int:
        low, high = 0, 2**20 - 1
        wanted = self._celsius()
        while low < high:
            middle = (low + high) // 2
            if compensated(middle, EXAMPLE) < wanted:
                low = middle + 1
            else:
                high = middle
        return low


DRIVER = Driver(
    settings=Bme280Settings,
    open=open_chip(Bme280Probe),
    find=find_chips("bme280", Bme280Probe, ADDRESSES),
    mock=I2cMock(0x76, MockBme280),
)
