"""What a board has: sensors that the kernel knows, and chips that answer on I2C."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_agent.errors import MissingExtraError
from edge_agent.fault import Fault
from edge_agent.probes import bme280, sht3x, w1
from edge_agent.sampling.reader import read_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from edge_agent.probe import Probe
    from edge_agent.site import Hardware, I2c


class Finding(NamedTuple):
    """One probe that could be read here.

    Attributes:
        about: what it is, for people.
        driver: how it is read.
        keys: what its table needs beside guid and driver.
        sure: whether it was seen; False where only the way to it was.
    """

    about: str
    driver: str
    keys: dict[str, Any]
    sure: bool = True

    def table(self, guid: str) -> str:
        """Its ``[[probe]]``; put out of action by # where nobody can say that it is there."""
        lines = [f"# {self.about}", "[[probe]]"]
        facts = {"guid": guid, "driver": self.driver, **self.keys}
        lines += [f"{key} = {_toml(value)}" for key, value in facts.items()]
        rest = lines[1:] if self.sure else [f"# {line}" for line in lines[1:]]
        return "\n".join([lines[0], *rest]) + "\n"


def survey(
    sysfs: Path, buses: Iterable[int], hardware: Hardware
) -> tuple[list[Finding], list[str]]:
    """What there is, and notes on what could not be looked at.

    Args:
        sysfs: the root of the kernel's sysfs.
        buses: numbers of the I2C buses to look at; see `i2c_buses`.
        hardware: of the board.
    """
    found = [*one_wire(sysfs), *thermal_zones(sysfs)]
    notes: list[str] = []
    for number in buses:
        try:
            bus = hardware.i2c(number)
        except MissingExtraError as error:
            notes.append(f"cannot look at /dev/i2c-{number}: {error}")
        else:
            found += chips(number, bus)
    return [*found, *converters(sysfs)], notes


def one_wire(sysfs: Path) -> Iterator[Finding]:
    """The sensors on 1-wire buses."""
    for folder in _children(sysfs / w1.FOLDER):
        family = w1.FAMILIES.get(folder.name[:2])
        if family is not None and w1.is_address(folder.name):
            yield Finding(f"{family} on 1-wire", "w1", {"address": folder.name})


def thermal_zones(sysfs: Path) -> Iterator[Finding]:
    """The kernel's thermal zones."""
    for folder in _children(sysfs / "class/thermal"):
        number = folder.name.removeprefix("thermal_zone")
        if number.isdecimal():
            try:
                kind = (folder / "type").read_text(encoding="utf-8", errors="replace")
            except OSError:
                kind = "no type"
            yield Finding(
                f"thermal zone: {' '.join(kind.split())}", "thermal_zone", {"zone": int(number)}
            )


def i2c_buses(sysfs: Path) -> list[int]:
    """The numbers of the buses to which programs have access."""
    numbers = [re.fullmatch(r"i2c-([0-9]+)", f.name) for f in _children(sysfs / "class/i2c-dev")]
    return [int(number[1]) for number in numbers if number]


def chips(number: int, bus: I2c) -> Iterator[Finding]:
    """The chips that answer as one of ours at an address that one of ours has."""
    candidates: list[tuple[str, int, Probe]] = [
        *(("bme280", address, bme280.Bme280Probe(bus, address)) for address in bme280.ADDRESSES),
        *(("sht3x", address, sht3x.Sht3xProbe(bus, address)) for address in sht3x.ADDRESSES),
    ]
    for driver, address, probe in candidates:
        found, _ = read_once(probe)
        if not isinstance(found, Fault):
            where = f"on I2C bus {number} at {address:#04x}: it gives {found:.1f} °C"
            keys = {"bus": number, "address": f"{address:#04x}"}
            yield Finding(f"{driver} {where}", driver, keys)


def converters(sysfs: Path) -> Iterator[Finding]:
    """The chip selects of SPI; nothing tells what is behind them."""
    for folder in _children(sysfs / "class/spidev"):
        if found := re.fullmatch(r"spidev0\.([01])", folder.name):
            about = f"/dev/{folder.name}: if an MCP3008 is there, and a sensor at its channel 0"
            keys = {"sensor": "tmp36", "select": int(found[1]), "channel": 0}
            yield Finding(about, "mcp3008", keys, sure=False)


def _children(folder: Path) -> list[Path]:
    try:
        children = list(folder.iterdir())
    except OSError:
        return []
    # thermal_zone10 comes after thermal_zone9.
    return sorted(children, key=lambda path: (len(path.name), path.name))


def _toml(value: object) -> str:
    # A basic string of TOML is one of JSON.
    return json.dumps(value, ensure_ascii=False)
