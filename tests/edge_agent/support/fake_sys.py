"""A tree that looks like /sys, of real files."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A DS18B20 at 26.625 °C, as the kernel writes it.
WELL = "aa 01 4b 46 7f ff 06 10 84 : crc=84 YES\naa 01 4b 46 7f ff 06 10 84 t=26625\n"
ADDRESS = "28-0316a2791aff"


class FakeSys:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.master = root / "devices/w1_bus_master1"
        self.devices = root / "bus/w1/devices"
        self.thermal = root / "class/thermal"
        for folder in (self.master, self.devices, self.thermal):
            folder.mkdir(parents=True)

    def sensor(self, address: str = ADDRESS, text: str | bytes = WELL) -> Path:
        """A 1-wire sensor, linked as the kernel does; its w1_slave file."""
        folder = self.master / address
        folder.mkdir()
        (self.devices / address).symlink_to(folder)
        slave = folder / "w1_slave"
        slave.write_bytes(text.encode() if isinstance(text, str) else text)
        return slave

    def zone(self, number: int, text: str = "48312\n", kind: str = "cpu-thermal") -> Path:
        folder = self.thermal / f"thermal_zone{number}"
        folder.mkdir()
        (folder / "type").write_text(kind + "\n", encoding="ascii")
        (folder / "temp").write_text(text, encoding="ascii")
        return folder / "temp"

    def bulk(self) -> Path:
        """The file through which all sensors of the master convert at once."""
        file = self.master / "therm_bulk_read"
        file.touch()
        return file


def hang(file: Path) -> None:
    """Make a read of this file block until somebody writes to it."""
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def let_go(file: Path, text: bytes = b"") -> None:
    """Let a read of a file that hangs end with this text."""
    with file.open("wb") as fifo:
        fifo.write(text)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Lose root's right to read everything, for so long."""
    user = os.geteuid()
    os.seteuid(65_534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)
