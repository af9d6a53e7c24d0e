"""Where a probe is opened: its place on the map, and the board under it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

SYSFS: Final = Path("/sys")


class I2c(Protocol):
    """One I2C bus."""

    def exchange(self, address: int, write: bytes, read: int) -> bytes:
        """Write some bytes to a chip, then read so many, without a stop between; either may be 0.

        Raises:
            OSError: there is no such bus, or no such chip on it, or it does not answer.
        """
        ...


class Adc(Protocol):
    """One input of an analog to digital converter."""

    def read(self) -> int:
        """What it measures now, 0 to 1023 for 0 V to the reference voltage.

        Raises:
            OSError: there is no such converter.
        """
        ...


class Hardware(Protocol):
    """The buses of a board; `edge_agent.hardware` has the real ones, `edge_agent.mocks` twins.

    Making one touches no bus: a sensor that is missing is a fault of each reading.
    """

    def i2c(self, bus: int) -> I2c:
        """The bus at /dev/i2c-``bus``.

        Raises:
            MissingExtraError: a package that it needs is not installed.
        """
        ...

    def adc(self, select: int, channel: int) -> Adc:
        """An input of the MCP3008 at the board's SPI port 0 and this chip select.

        Raises:
            MissingExtraError: a package that it needs is not installed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a driver gets beside its own settings.

    Attributes:
        state: one of the 51 codes.
        sysfs: the root of the kernel's sysfs, or of a tree that looks like it.
        hardware: the board's buses.
    """

    state: str
    hardware: Hardware
    sysfs: Path = SYSFS
