"""The buses of a board, and what a driver gets to open a probe."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

SYSFS: Final = Path("/sys")


class I2c(Protocol):
    """One I2C bus."""

    def exchange(self, address: int, write: bytes, read: int) -> bytes:
        """Write bytes to a chip, then read ``read`` bytes, without a stop between; either may be 0.

        Raises:
            OSError: there is no such bus, or no such chip on it, or it does not answer.
        """
        ...


class I2cChip(Protocol):
    """One chip on an I2C bus, seen from the bus; the mocks are made of these."""

    def write(self, data: bytes) -> None:
        """Take what the board writes."""
        ...

    def read(self, count: int) -> bytes:
        """Give so many bytes.

        Raises:
            OSError: the chip does not acknowledge; see `no_answer`.
        """
        ...


class Spi(Protocol):
    """One chip select of an SPI bus, and so one chip."""

    def exchange(self, data: bytes) -> bytes:
        """Write bytes to the chip, and return as many, read at the same time.

        SPI has no acknowledgement: where no chip is connected, the line's level is read, which is
        zeros or ones.

        Raises:
            OSError: there is no such bus.
        """
        ...


class Hardware(Protocol):
    """The buses of a board; `edge_agent.probes.hardware` has the real ones.

    `edge_agent.probes.mocks` has mocks. Making a bus does not use it yet: a sensor that is missing
    is a fault of each reading.
    """

    def i2c(self, bus: int) -> I2c:
        """The bus at /dev/i2c-``bus``.

        Raises:
            MissingExtraError: a package that it needs is not installed.
        """
        ...

    def spi(self, select: int, mode: int = 0) -> Spi:
        """The chip at /dev/spidev0.``select``.

        Args:
            select: the chip select of SPI port 0.
            mode: clock polarity and phase, 0 to 3, as the chip's data sheet has it.

        Raises:
            MissingExtraError: a package that it needs is not installed.
        """
        ...


def children(folder: Path) -> list[Path]:
    """What is in a folder of sysfs, in the order of its numbers; nothing if it is not there."""
    try:
        found = list(folder.iterdir())
    except OSError:
        return []
    # thermal_zone10 comes after thermal_zone9.
    return sorted(found, key=lambda path: (len(path.name), path.name))


def no_answer() -> OSError:
    """What Linux raises when no chip on I2C acknowledges its address."""
    return OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a driver gets beside its own settings.

    Attributes:
        state: where the probe is, one of the 51 codes.
        sysfs: the root of the kernel's sysfs, or of a tree that looks like it.
        hardware: the board's buses.
    """

    state: str
    hardware: Hardware
    sysfs: Path = SYSFS
