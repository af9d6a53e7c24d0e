"""What a board has: each driver looks for its own probes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_agent.errors import MissingExtraError
from edge_agent.probes.bus import children
from edge_agent.probes.driver import ScanContext
from edge_agent.probes.registry import driver, driver_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge_agent.probes.bus import Hardware, I2c
    from edge_agent.probes.driver import Candidate


class Found(NamedTuple):
    """A probe that could be read here, and how.

    Attributes:
        driver: its driver's name.
        candidate: what the driver found.
    """

    driver: str
    candidate: Candidate

    def table(self, guid: str) -> str:
        """Its ``[[probe]]``, as comments where nobody can know whether the sensor is there."""
        lines = [f"# {self.candidate.about}", "[[probe]]"]
        facts: dict[str, Any] = {"guid": guid, "driver": self.driver, **self.candidate.keys}
        lines += [f"{key} = {_toml(value)}" for key, value in facts.items()]
        rest = lines[1:] if self.candidate.sure else [f"# {line}" for line in lines[1:]]
        return "\n".join([lines[0], *rest]) + "\n"


def scan(
    sysfs: Path,
    i2c_buses: Iterable[int] | None,
    hardware: Hardware,
    *,
    spi_selects: Iterable[int] | None = None,
) -> tuple[list[Found], list[str]]:
    """What there is, the sure ones first, and notes on what could not be looked at.

    Args:
        sysfs: the root of the kernel's sysfs.
        i2c_buses: numbers of the I2C buses to look at; None: those that sysfs has.
        hardware: of the board.
        spi_selects: chip selects of SPI port 0 to look at; None: those that sysfs has.
    """
    found: list[Found] = []
    if spi_selects is None:
        spi_selects = _numbers(sysfs, "class/spidev/spidev0.")
    buses, notes = _buses(sysfs, i2c_buses, hardware)
    context = ScanContext(sysfs=sysfs, i2c=buses, spi=list(spi_selects), hardware=hardware)
    for name in driver_names():
        # One driver's mistake must not hide what the others find.
        try:
            find = driver(name).find
            candidates = [] if find is None else list(find(context))
        except Exception as error:  # noqa: BLE001 see above
            notes.append(f"cannot look for {name}: {type(error).__name__}: {error}")
        else:
            found += [Found(name, candidate) for candidate in candidates]
    return sorted(found, key=lambda one: not one.candidate.sure), notes


def _buses(
    sysfs: Path, i2c_buses: Iterable[int] | None, hardware: Hardware
) -> tuple[dict[int, I2c], list[str]]:
    buses: dict[int, I2c] = {}
    notes = []
    for number in _numbers(sysfs, "class/i2c-dev/i2c-") if i2c_buses is None else i2c_buses:
        try:
            buses[number] = hardware.i2c(number)
        except MissingExtraError as error:
            notes.append(f"cannot look at /dev/i2c-{number}: {error}")
    return buses, notes


def _numbers(sysfs: Path, prefix: str) -> list[int]:
    """The numbers of the devices of this name that programs may use."""
    folder, _, name = prefix.rpartition("/")
    found = [child.name.removeprefix(name) for child in children(sysfs / folder)]
    return [int(number) for number in found if re.fullmatch(r"[0-9]+", number)]


def _toml(value: object) -> str:
    # A basic string of TOML is one of JSON.
    return json.dumps(value, ensure_ascii=False)
