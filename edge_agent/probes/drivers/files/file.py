"""A temperature that another program writes into a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from edge_agent.parsers import span_or_never
from edge_agent.probes.driver import Driver, ProbeSettings
from edge_agent.probes.drivers.files._file_age import FileAge
from edge_agent.probes.drivers.files._number_file import read_number
from edge_agent.probes.temperature import celsius
from isotherm.settings.table import choice, setting, text

if TYPE_CHECKING:
    from edge_agent.probes.bus import Site

UNITS: Final = MappingProxyType[str, Callable[[float], float]](
    {"C": lambda number: number, "F": celsius, "mC": lambda number: number / 1_000}
)
"""How to make degrees Celsius of each unit."""


@dataclass(frozen=True, kw_only=True)
class FileSettings(ProbeSettings):
    """A number that another program writes into a file."""

    path: str = setting("path", text, help="The file; it holds one number and nothing else.")
    unit: str = setting(
        "unit",
        choice(*UNITS),
        default="C",
        help="Of the number: C, F, or mC for thousandths of a degree Celsius, as hwmon has it.",
    )
    max_age: float | None = setting(
        "max_age",
        span_or_never,
        default="1h",
        help="How long ago the file may have been written, such as 10m; false: no matter. Files of "
        "the kernel, under /sys and /proc, are always new.",
    )


class FileProbe:
    """One file.

    Args:
        path: of the file.
        unit: one of `UNITS`.
        max_age: seconds that it may be old; None: no matter.
    """

    def __init__(self, path: Path, unit: str, max_age: float | None = None) -> None:
        self._path = path
        self._unit = unit
        self._age = None if max_age is None else FileAge(path, max_age)

    def read(self) -> float:
        """The temperature in degrees Celsius."""
        return UNITS[self._unit](read_number(self._path, age=self._age))


def _open(settings: FileSettings, _site: Site) -> FileProbe:
    return FileProbe(Path(settings.path), settings.unit, settings.max_age)


DRIVER = Driver(settings=FileSettings, open=_open)
