"""A temperature that the kernel knows of itself: the processor's, mostly.

Source: Linux, Documentation/driver-api/thermal/sysfs-api.rst; ``temp`` is in millidegrees Celsius.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_agent.probes.bus import children
from edge_agent.probes.driver import Candidate, Driver, ProbeSettings
from edge_agent.probes.drivers.files._number_file import read_number
from isotherm.settings.table import setting, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.probes.bus import Site
    from edge_agent.probes.driver import ScanContext

ZONES: Final = "class/thermal"


@dataclass(frozen=True, kw_only=True)
class ThermalZoneSettings(ProbeSettings):
    """What the kernel measures itself: the processor's temperature, mostly."""

    zone: int = setting(
        "zone",
        whole(0, 999),
        default=0,
        help="N of /sys/class/thermal/thermal_zoneN; 0 is a Raspberry Pi's processor.",
    )


class ThermalZoneProbe:
    """One thermal zone.

    Args:
        path: its file ``temp``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> float:
        """The temperature in degrees Celsius."""
        return read_number(self._path) / 1_000


def _open(settings: ThermalZoneSettings, site: Site) -> ThermalZoneProbe:
    return ThermalZoneProbe(site.sysfs / ZONES / f"thermal_zone{settings.zone}" / "temp")


def _find(context: ScanContext) -> Iterator[Candidate]:
    for folder in children(context.sysfs / ZONES):
        number = folder.name.removeprefix("thermal_zone")
        if number.isdecimal():
            try:
                kind = (folder / "type").read_text(encoding="utf-8", errors="replace")
            except OSError:
                kind = "no type"
            yield Candidate(f"thermal zone: {' '.join(kind.split())}", {"zone": int(number)})


DRIVER = Driver(settings=ThermalZoneSettings, open=_open, find=_find)
