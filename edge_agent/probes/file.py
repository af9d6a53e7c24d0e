"""A temperature that another program writes into a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from contract.settings import choice, setting, text
from edge_agent.degrees import celsius
from edge_agent.fault import Fault
from edge_agent.number_file import read_number
from edge_agent.probe import Driver, ProbeSettings

if TYPE_CHECKING:
    from edge_agent.site import Site

UNITS: Final = MappingProxyType[str, Callable[[float], float]](
    {"C": lambda number: number, "F": celsius, "mC": lambda number: number / 1_000}
)
"""How to make degrees Celsius of each unit."""


@dataclass(frozen=True, kw_only=True)
class FileSettings(ProbeSettings):
    """A number in a file."""

    path: str = setting("path", text, help="The file; it holds one number and nothing else.")
    unit: str = setting(
        "unit",
        choice(*UNITS),
        default="C",
        help="Of the number: C, F, or mC for thousandths of a degree Celsius, as hwmon has it.",
    )


class FileProbe:
    """One file.

    Args:
        path: of the file.
        unit: one of `UNITS`.
    """

    def __init__(self, path: Path, unit: str) -> None:
        self._path = path
        self._unit = unit

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius."""
        found = read_number(self._path)
        return found if isinstance(found, Fault) else UNITS[self._unit](found)


def _open(settings: FileSettings, _site: Site) -> FileProbe:
    return FileProbe(Path(settings.path), settings.unit)


DRIVER = Driver(settings=FileSettings, open=_open)
