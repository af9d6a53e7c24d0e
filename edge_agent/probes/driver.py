"""What a probe is, and what its driver is made of: one file under `drivers/` each.

A driver's module has one name that others use, ``DRIVER = Driver(...)``. It is imported when a
probe in the configuration names it, and so are the packages that only it needs.
`edge_agent.probes.registry` has all of them.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from edge_agent.parsers import guid, state
from edge_agent.probes.fault import Fault, ProbeError
from isotherm.settings.table import duration, optional, setting, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from edge_agent.probes.bus import Hardware, I2c, I2cChip, Site, Spi


class Probe(Protocol):
    """One sensor on the board."""

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius, or why there is none.

        May take its time, and is called in a thread of its own, one call at a time.

        Raises:
            ProbeError: a fault, with more about it.
            OSError: nothing answers there; the same as `Fault.MISSING`, with the system's words.
        """
        ...


def stuck_setting(default: int, why: str = "") -> Any:
    """The field ``stuck_after`` of a driver's settings.

    Args:
        default: equal readings in a row.
        why: a sentence on what makes this default right.
    """
    words = "Equal readings in a row after which the probe counts as stuck; 0: never."
    help_ = f"{words} {why}" if why else words
    return setting("stuck_after", whole(0, 1_000_000), default=default, help=help_)


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """The keys of a ``[[probe]]`` that all drivers have; a driver adds its own in a subclass.

    The first line of the subclass's docstring is what docs/probes.md says of the driver.
    """

    guid: str = setting(
        "guid", guid, help="Names the sensor for ever; 1 to 128 printable characters, used once."
    )
    driver: str = setting("driver", text, help="How the probe is read.")
    interval: float = setting(
        "interval", duration, default="5s", help="Time between two readings, such as 500ms or 5s."
    )
    state: str | None = setting(
        "state",
        optional(state),
        default=None,
        help="Where the probe is, if not where the device is: one of the 51 codes.",
    )
    timeout: float = setting(
        "timeout", duration, default="4s", help="How long a read may take before it is a fault."
    )
    stuck_after: int = stuck_setting(0)


class Candidate(NamedTuple):
    """One probe that could be read on this board.

    Attributes:
        about: what it is, for people.
        keys: what its ``[[probe]]`` needs beside guid and driver.
        sure: whether the sensor was seen; False where only its bus was.
    """

    about: str
    keys: Mapping[str, Any]
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanContext:
    """Where a driver looks for its probes.

    Attributes:
        sysfs: the root of the kernel's sysfs.
        i2c: the buses that programs may use, by the N of /dev/i2c-N.
        spi: the N of each /dev/spidev0.N.
        hardware: opens the chips on SPI.
    """

    sysfs: Path
    i2c: Mapping[int, I2c]
    spi: Sequence[int]
    hardware: Hardware


class I2cMock(NamedTuple):
    """A driver's chip on the I2C buses of the mock board.

    Attributes:
        address: where the chip answers.
        chip: makes it; gets a function that gives the degrees Celsius to measure.
    """

    address: int
    chip: Callable[[Callable[[], float]], I2cChip]


class SpiMock(NamedTuple):
    """A driver's chip on SPI of the mock board.

    Attributes:
        select: the chip select at which it is.
        chip: makes it; gets a function that gives the degrees Celsius to measure.
    """

    select: int
    chip: Callable[[Callable[[], float]], Spi]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One way to read a probe.

    Attributes:
        settings: the keys of its ``[[probe]]`` table.
        open: makes the probe out of its settings and its site. A sensor that is missing is no error
            here but a `Fault` of each reading; a package that is missing is one.
        find: the probes of this kind on a board, for `isotherm-agent probes`; None where nothing
            shows whether there is one.
        mock: its chip on the mock board (`device.hardware = "mock"`); None where it has none.
        blocks: whether a read may take time; False saves a thread.
    """

    settings: type[ProbeSettings]
    open: Callable[[Any, Site], Probe]
    find: Callable[[ScanContext], Iterable[Candidate]] | None = None
    mock: I2cMock | SpiMock | None = None
    blocks: bool = True


SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""What the system says where it is the board that cannot read, and not the sensor that is away."""


def read_once(probe: Probe) -> tuple[float | Fault, str]:
    """Read a probe, whatever it raises: degrees Celsius or the fault, and more about the fault."""
    try:
        return probe.read(), ""
    except ProbeError as error:
        return error.fault, error.why
    except MemoryError:
        return Fault.SYSTEM, "the board has no memory left"
    except OSError as error:
        words = error.strerror or str(error)
        fault = Fault.SYSTEM if error.errno in SHORTAGES else Fault.MISSING
        return fault, f"{error.filename}: {words}" if error.filename else words
    except (Exception, SystemExit) as error:  # noqa: BLE001 one driver's mistake must not end its thread
        return Fault.MISSING, f"{type(error).__name__}: {error}"
