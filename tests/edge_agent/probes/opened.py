"""A probe as the agent opens it, out of the keys of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.probes.bus import SYSFS, Site
from edge_agent.probes.mocks import MockHardware
from edge_agent.probes.registry import driver
from isotherm.settings.table import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.probes.bus import I2cChip, Spi
    from edge_agent.probes.driver import Probe


def open_probe(
    name: str,
    *,
    i2c: Mapping[int, I2cChip] | None = None,
    spi: Mapping[int, Spi] | None = None,
    sysfs: Path = SYSFS,
    **keys: Any,
) -> Probe:
    """The probe of a driver, on a mock board.

    Args:
        name: of the driver.
        i2c: the chips on I2C; see `MockHardware`.
        spi: the chips on SPI.
        sysfs: the root of its sysfs.
        keys: of its table, beside guid and driver.
    """
    chosen = driver(name)
    settings = load(chosen.settings, "", file={"guid": "g", "driver": name, **keys})
    hardware = MockHardware(i2c, spi)
    return chosen.open(settings, Site(state="CA", hardware=hardware, sysfs=sysfs))
