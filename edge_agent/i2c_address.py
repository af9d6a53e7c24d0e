"""What the probes on an I2C bus have in common: keys, addresses, and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isotherm.settings.table import setting, whole

if TYPE_CHECKING:
    from collections.abc import Callable

NOISY = "This chip's last bits are noise, so that they never stay equal for long."
"""Why a digital chip that gives the same reading again and again is stuck."""


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


def bus_setting() -> Any:
    """The field ``bus`` of a driver's settings."""
    return setting(
        "bus",
        whole(0, 255),
        default=1,
        help="N of /dev/i2c-N; 1 is the one on a Pi's pins 3 and 5.",
    )
