"""DS18B20 and the other sensors of its kind on a 1-wire bus, through the kernel's w1_therm.

Source of all that is said about the kernel here: Linux, drivers/w1/slaves/w1_therm.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edge_agent.probes.bus import children
from edge_agent.probes.driver import Candidate, Driver, ProbeSettings
from edge_agent.probes.drivers.one_wire._bulk import bulk
from edge_agent.probes.fault import Fault
from isotherm.settings.table import setting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.probes.bus import Site
    from edge_agent.probes.driver import ScanContext

FAMILIES: Final = {
    "10": "DS18S20",
    "22": "DS1822",
    "28": "DS18B20",
    "3b": "DS1825",
    "42": "DS28EA00",
}
FOLDER: Final = "bus/w1/devices"
LOWEST: Final = -55.0
HIGHEST: Final = 125.0
"""Degrees Celsius that all of these sensors measure; from their data sheets."""
LOOKS: Final = 3
"""How often to read on a bus whose sensors convert together: the files are empty while a conversion
runs, and another probe may have started one just before our read."""

LONGEST: Final = 4_096
"""Bytes that are read: what a file of sysfs can hold."""

_ADDRESS: Final = re.compile(rf"(?:{'|'.join(FAMILIES)})-[0-9a-f]{{12}}")
_TEXT: Final = re.compile(
    rb"((?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (YES|NO)\n(?:[0-9a-f]{2} ){9}t=(-?[0-9]{1,6})\s*"
)
_POWER_ON: Final = {"10": b"\xaa\x00"}
_POWER_ON_OTHERS: Final = b"\x50\x05"
_NOT_CONVERTED: Final = 0x0C
"""Byte 6 of the scratchpad before the first conversion."""


def is_address(name: str) -> bool:
    """Whether a folder of this name is a sensor of one of our families."""
    return _ADDRESS.fullmatch(name) is not None


def address(value: Any) -> str:
    """Parser: the name of a sensor's folder."""
    if not isinstance(value, str) or not is_address(value):
        raise ValueError(
            "write the name of a folder under /sys/bus/w1/devices, such as 28-0316a2791aff; "
            "`isotherm-agent probes` lists those that are there"
        )
    return value


@dataclass(frozen=True, kw_only=True)
class W1Settings(ProbeSettings):
    """DS18B20, DS18S20, DS1822, DS1825 or DS28EA00 on a 1-wire bus."""

    address: str = setting(
        "address",
        address,
        help="Its folder under /sys/bus/w1/devices, such as 28-0316a2791aff.",
    )


def temperature(text: bytes, family: str) -> float | Fault:
    """Degrees Celsius out of what a ``w1_slave`` file said.

    Args:
        text: the file's content.
        family: the first two digits of the address.
    """
    if not text:
        # An empty file means that no sensor answered on the bus.
        return Fault.MISSING
    found = _TEXT.fullmatch(text)
    if found is None:
        return Fault.CRC
    scratchpad = bytes.fromhex(found[1].decode())
    # Zeros have the right checksum: a shorted data line is read as zeros.
    if found[2] == b"NO" or not any(scratchpad):
        return Fault.CRC
    thousandths = int(found[3])
    if not text.endswith(b"\n") and thousandths != _converted(scratchpad):
        # The end of the file is missing, and perhaps digits with it.
        return Fault.CRC
    power_on = _POWER_ON.get(family, _POWER_ON_OTHERS)
    if scratchpad.startswith(power_on) and scratchpad[6] == _NOT_CONVERTED:
        return Fault.RESET
    celsius = thousandths / 1_000
    return celsius if LOWEST <= celsius <= HIGHEST else Fault.RANGE


def _converted(scratchpad: bytes) -> int:
    """Thousandths of a degree, as the kernel computes them for all families but 10."""
    return int(int.from_bytes(scratchpad[:2], "little", signed=True) * 1_000 / 16)


class W1Probe:
    """One sensor.

    Args:
        folder: of the sensor in sysfs; it may appear later.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._family = folder.name[:2]

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius; converts for up to 750 ms."""
        # In sysfs the folder is a link into that of the bus master.
        bus = bulk(self._folder.resolve(strict=True).parent)
        text = b""
        for _ in range(LOOKS):
            together = bus.convert()
            with (self._folder / "w1_slave").open("rb", buffering=0) as file:
                text = file.read(LONGEST)
            if text or not together:
                break
        return temperature(text, self._family)


def _open(settings: W1Settings, site: Site) -> W1Probe:
    return W1Probe(site.sysfs / FOLDER / settings.address)


def _find(context: ScanContext) -> Iterator[Candidate]:
    for folder in children(context.sysfs / FOLDER):
        if is_address(folder.name):
            kind = FAMILIES[folder.name[:2]]
            yield Candidate(f"{kind} on 1-wire", {"address": folder.name})


DRIVER = Driver(settings=W1Settings, open=_open, find=_find)
