"""A board whose buses are mocks, with each driver's chip on them, which answers byte for byte.

`device.hardware = "mock"` makes the agent use `MockHardware`; from Python give `Site` one with
chips of your own. A chip's mock is in its driver's file.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from edge_agent.probes.bus import no_answer
from edge_agent.probes.driver import I2cMock, SpiMock
from edge_agent.probes.registry import driver, driver_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.probes.bus import I2c, I2cChip, Spi

MEAN: Final = 20.0
SWING: Final = 2.0
PERIOD: Final = 120.0


def wave() -> float:
    """Degrees Celsius that the chips of a mock board measure: 20 ± 2 in waves of two minutes."""
    return MEAN + SWING * math.sin(2.0 * math.pi * time.monotonic() / PERIOD)


class MockI2c:
    """A bus with chips on it; see `edge_agent.probes.bus.I2c`.

    Args:
        chips: by their address; may change while the bus is in use, as when one is unplugged.
    """

    def __init__(self, chips: Mapping[int, I2cChip]) -> None:
        self._chips = chips

    def exchange(self, address: int, write: bytes, read: int) -> bytes:
        """Write some bytes to a chip, then read so many."""
        chip = self._chips.get(address)
        if chip is None:
            raise no_answer()
        if write:
            chip.write(write)
        return chip.read(read) if read else b""


class NoChip:
    """A chip select of SPI without a chip: the line stays low."""

    def exchange(self, data: bytes) -> bytes:
        """As many zeros."""
        return bytes(len(data))


class MockHardware:
    """See `edge_agent.probes.bus.Hardware`.

    Args:
        i2c: the chips on every I2C bus, by address; by default those of `i2c_mocks`.
        spi: the chips on SPI, by chip select; by default those of `spi_mocks`.
    """

    def __init__(
        self, i2c: Mapping[int, I2cChip] | None = None, spi: Mapping[int, Spi] | None = None
    ) -> None:
        self._i2c = MockI2c(i2c_mocks() if i2c is None else i2c)
        self._spi = spi_mocks() if spi is None else spi

    def i2c(self, bus: int) -> I2c:  # noqa: ARG002 all buses are alike
        """The bus with the chips on it."""
        return self._i2c

    def spi(self, select: int, mode: int = 0) -> Spi:  # noqa: ARG002 a mock has no clock
        """The chip at a chip select."""
        return self._spi.get(select, NoChip())


def i2c_mocks() -> dict[int, I2cChip]:
    """The chip of each driver that has one on I2C, by address.

    Raises:
        RuntimeError: two drivers have a mock at the same address.
    """
    chips: dict[int, I2cChip] = {}
    for name in driver_names():
        mock = driver(name).mock
        if isinstance(mock, I2cMock):
            if mock.address in chips:
                raise RuntimeError(f"{name}: two drivers have a mock at I2C {mock.address:#04x}")
            chips[mock.address] = mock.chip(wave)
    return chips


def spi_mocks() -> dict[int, Spi]:
    """The chip of each driver that has one on SPI, by chip select.

    Raises:
        RuntimeError: two drivers have a mock at the same chip select.
    """
    chips: dict[int, Spi] = {}
    for name in driver_names():
        mock = driver(name).mock
        if isinstance(mock, SpiMock):
            if mock.select in chips:
                raise RuntimeError(f"{name}: two drivers have a mock at SPI {mock.select}")
            chips[mock.select] = mock.chip(wave)
    return chips
