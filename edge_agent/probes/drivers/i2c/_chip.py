"""What the drivers of chips on I2C share: keys, addresses, opening and finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edge_agent.probes.driver import Candidate, ProbeSettings, read_once, stuck_setting
from edge_agent.probes.fault import Fault
from isotherm.settings.table import setting, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_agent.probes.bus import I2c, Site
    from edge_agent.probes.driver import Probe, ScanContext

NOISY: Final = "This chip's last bits are noise, so that they never stay equal for long."
"""Why a digital chip that gives the same reading again and again is stuck."""


@dataclass(frozen=True, kw_only=True)
class I2cSettings(ProbeSettings):
    """A chip on an I2C bus; a driver adds ``address`` with `address_setting`."""

    stuck_after: int = stuck_setting(60, NOISY)
    bus: int = setting(
        "bus",
        whole(0, 255),
        default=1,
        help="N of /dev/i2c-N; 1 is the one on a Pi's pins 3 and 5.",
    )


def address_setting(*known: int) -> Any:
    """The field ``address`` of a driver's settings.

    Args:
        known: the addresses that the chip can be set to, the usual one first.
    """
    *most, last = (f'"{address:#04x}"' for address in known)
    help_ = f"Of the chip: {', '.join(most)} or {last}."
    return setting("address", i2c_address(*known), default=f"{known[0]:#04x}", help=help_)


def i2c_address(*known: int) -> Callable[[Any], int]:
    """Parser: one of the addresses that a chip can be set to; 118 and "0x76" are the same."""
    words = " or ".join(f'"{address:#04x}"' for address in known)

    def parse(value: Any) -> int:
        try:
            found = int(value, 0) if isinstance(value, str) else value
        except ValueError:
            found = None
        if isinstance(found, bool) or found not in known:
            raise ValueError(f"write {words}, as the chip's address pin is wired")
        return int(found)

    return parse


def open_chip(probe: Callable[[I2c, int], Probe]) -> Callable[[Any, Site], Probe]:
    """The ``open`` of a driver whose settings are an `I2cSettings` with an address.

    Args:
        probe: makes the probe of a bus and an address.
    """
    return lambda settings, site: probe(site.hardware.i2c(settings.bus), settings.address)


def find_chips(
    name: str, probe: Callable[[I2c, int], Probe], addresses: Sequence[int]
) -> Callable[[ScanContext], Iterator[Candidate]]:
    """The ``find`` of a driver: reads each address of the chip, and takes those that give degrees.

    Args:
        name: of the driver.
        probe: makes the probe of a bus and an address.
        addresses: that the chip can be set to.
    """

    def find(context: ScanContext) -> Iterator[Candidate]:
        for number, bus in context.i2c.items():
            for address in addresses:
                celsius, _ = read_once(probe(bus, address))
                if not isinstance(celsius, Fault):
                    where = f"on I2C bus {number} at {address:#04x}: it gives {celsius:.1f} °C"
                    keys = {"bus": number, "address": f"{address:#04x}"}
                    yield Candidate(f"{name} {where}", keys)

    return find
