"""A board whose buses are mocks."""

from __future__ import annotations

import errno
import math
import os
import time
from typing import TYPE_CHECKING, Final

from edge_agent.hardware import GpiozeroAdc
from edge_agent.mocks.chips import MockBme280, MockSht3x
from edge_agent.mocks.mcp3008 import MockMcp3008

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.mocks.chips import MockChip
    from edge_agent.site import Adc, I2c

MEAN: Final = 20.0
SWING: Final = 2.0
PERIOD: Final = 120.0
TMP36_ZERO: Final = 0.5
VREF: Final = 3.3


def wave() -> float:
    """Degrees Celsius that the chips of a mock board measure: 20 ± 2 in waves of two minutes."""
    return MEAN + SWING * math.sin(2.0 * math.pi * time.monotonic() / PERIOD)


def _tmp36(_channel: int) -> float:
    return TMP36_ZERO + wave() / 100.0


class MockI2c:
    """A bus with chips on it; see `edge_agent.site.I2c`.

    Args:
        chips: by their address; may change while the bus is in use, as when one is unplugged.
    """

    def __init__(self, chips: Mapping[int, MockChip]) -> None:
        self._chips = chips

    def exchange(self, address: int, write: bytes, read: int) -> bytes:
        """Write some bytes to a chip, then read so many."""
        chip = self._chips.get(address)
        if chip is None:
            # What Linux says when no chip acknowledges its address.
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        if write:
            chip.write(write)
        return chip.read(read) if read else b""


class MockHardware:
    """See `edge_agent.site.Hardware`.

    Args:
        chips: on every I2C bus; by default one of each kind at its usual address.
        converter: on every chip select of SPI; by default with a TMP36 at each input.
    """

    def __init__(
        self, chips: Mapping[int, MockChip] | None = None, converter: MockMcp3008 | None = None
    ) -> None:
        everything: dict[int, MockChip] = {0x76: MockBme280(wave), 0x44: MockSht3x(wave)}
        self._i2c = MockI2c(everything if chips is None else chips)
        self._converter = converter or MockMcp3008(_tmp36, VREF)

    def i2c(self, bus: int) -> I2c:  # noqa: ARG002 all buses are alike
        """The bus with the chips on it."""
        return self._i2c

    def adc(self, select: int, channel: int) -> Adc:
        """An input of the converter, through gpiozero as on a real board."""
        return GpiozeroAdc(select, channel, self._converter.pin_factory)
