"""Sensors on I2C that answer as their data sheets say."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Final, Protocol

from edge_agent.probes import bme280, sht3x

if TYPE_CHECKING:
    from collections.abc import Callable

CALIBRATION: Final = bme280.Calibration(27_504, 26_435, -1_000)
"""That of the example in the BMP280's data sheet, 3.12."""


class MockChip(Protocol):
    """A chip on an I2C bus."""

    def write(self, data: bytes) -> None:
        """Take what the board writes."""
        ...

    def read(self, count: int) -> bytes:
        """Give so many bytes."""
        ...


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
        self.registers[bme280.ID] = chip
        self.registers[bme280.CALIBRATION : bme280.CALIBRATION + 6] = struct.pack(
            "<Hhh", *CALIBRATION
        )
        self._measured(bme280.SKIPPED)

    def write(self, data: bytes) -> None:
        """Choose a register, and set it where more bytes follow."""
        self._chosen = data[0]
        for value in data[1:]:
            self.registers[self._chosen] = value
            if self._chosen == bme280.CONTROL and value & 0b11:
                self._measured(self._raw())
                # It measures once, and goes back to sleep.
                self.registers[bme280.CONTROL] = value & ~0b11

    def read(self, count: int) -> bytes:
        """So many registers from the chosen one on."""
        return bytes(self.registers[self._chosen : self._chosen + count])

    def _measured(self, raw: int) -> None:
        self.registers[bme280.TEMPERATURE : bme280.TEMPERATURE + 3] = (raw << 4).to_bytes(3)

    def _raw(self) -> int:
        low, high = 0, 2**20 - 1
        wanted = self._celsius()
        while low < high:
            middle = (low + high) // 2
            if bme280.compensated(middle, CALIBRATION) < wanted:
                low = middle + 1
            else:
                high = middle
        return low


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
        if data == sht3x.MEASURE:
            raw = round((self._celsius() + 45) * 65_535 / 175)
            half = max(0, min(raw, 65_535)).to_bytes(2)
            # Half of all the water that the air could hold.
            humidity = b"\x80\x00"
            self._answer = b"".join(
                word + bytes([sht3x.checksum(word)]) for word in (half, humidity)
            )

    def read(self, count: int) -> bytes:
        """The last measurement, once; a chip without one does not acknowledge."""
        answer, self._answer = self._answer, b""
        if not answer:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        return answer[:count]
