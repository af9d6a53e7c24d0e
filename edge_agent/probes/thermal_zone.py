"""A temperature that the kernel knows of itself: the processor's, mostly.

Source: Linux, Documentation/driver-api/thermal/sysfs-api.rst; ``temp`` is in millidegrees Celsius.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.number_file import read_number
from edge_agent.probe import Driver, ProbeSettings
from isotherm.settings.table import setting, whole

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.site import Site


@dataclass(frozen=True, kw_only=True)
class ThermalZoneSettings(ProbeSettings):
    """A thermal zone."""

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
    zones = site.sysfs / "class/thermal"
    return ThermalZoneProbe(zones / f"thermal_zone{settings.zone}" / "temp")


DRIVER = Driver(settings=ThermalZoneSettings, open=_open)
