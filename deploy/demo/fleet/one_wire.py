"""The 1-wire bus of the demo's board: files as Linux has them under /sys, with a sensor on it.

Source of the layout and of the text: Linux, drivers/w1/slaves/w1_therm.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.local.state import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_SCRATCHPAD: Final = "aa 01 4b 46 7f ff 06 10 84"
"""Of a DS18B20 at 26.625 °C."""


class Bus:
    """One sensor on a bus, well at first.

    Args:
        sysfs: where the tree is made.
        address: of the sensor.
    """

    def __init__(self, sysfs: Path, address: str) -> None:
        folder = sysfs / "devices/w1_bus_master1" / address
        folder.mkdir(parents=True)
        devices = sysfs / "bus/w1/devices"
        devices.mkdir(parents=True)
        (devices / address).symlink_to(folder)
        self._file = folder / "w1_slave"
        self.mend()

    def mend(self) -> None:
        """What it says has the right checksum."""
        self._say("YES")

    def disturb(self) -> None:
        """What it says has a wrong one, as with a bad cable."""
        self._say("NO")

    def _say(self, verdict: str) -> None:
        text = f"{_SCRATCHPAD} : crc=84 {verdict}\n{_SCRATCHPAD} t=26625\n"
        replace_file(self._file, text)
