"""What a probe is, and the registry of its drivers: one file in `edge_agent/probes` each.

A driver's module has one name, ``DRIVER = Driver(...)``, and stands in `edge_agent.probes.NAMES`.
It is imported when a probe in the configuration names it, and so are the packages that only it
needs.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edge_agent import probes
from edge_agent.parsers import guid, state
from isotherm.errors import SettingsError
from isotherm.settings.table import duration, optional, setting, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.fault import Fault
    from edge_agent.site import Site


class Probe(Protocol):
    """One sensor on the board."""

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius, or why there is none.

        May take its time, and is called in a thread of its own, one call at a time.

        Raises:
            ProbeError: a fault, with more about it.
            OSError: nothing answers there; the same as `Fault.MISSING`, with the system's words.
        """
        ...


def driver_name(value: Any) -> str:
    """Parser: the name of a driver."""
    known = driver_names()
    if value not in known:
        raise ValueError(f"write one of the drivers: {', '.join(known)}")
    return str(value)


def stuck_setting(default: int, why: str = "") -> Any:
    """The field ``stuck_after`` of a driver's settings.

    Args:
        default: equal readings in a row.
        why: a sentence on what makes this default right.
    """
    words = "Equal readings in a row after which the probe counts as stuck; 0: never."
    help_ = f"{words} {why}" if why else words
    return setting("stuck_after", whole(0, 1_000_000), default=default, help=help_)


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """The keys of a ``[[probe]]`` that all drivers have; a driver adds its own in a subclass."""

    guid: str = setting(
        "guid", guid, help="Names the sensor for ever; 1 to 128 printable characters, used once."
    )
    driver: str = setting("driver", driver_name, help="How the probe is read.")
    interval: float = setting(
        "interval", duration, default="5s", help="Time between two readings, such as 500ms or 5s."
    )
    state: str | None = setting(
        "state",
        optional(state),
        default=None,
        help="Where the probe is, if not where the device is: one of the 51 codes.",
    )
    timeout: float = setting(
        "timeout", duration, default="4s", help="How long a read may take before it is a fault."
    )
    stuck_after: int = stuck_setting(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One way to read a probe.

    Attributes:
        settings: what stands in its ``[[probe]]`` table.
        open: makes the probe out of its settings and its site. A sensor that is missing is no error
            here but a `Fault` of each reading; a package that is missing is one.
        blocks: whether a read may take time; False saves a thread.
    """

    settings: type[ProbeSettings]
    open: Callable[[Any, Site], Probe]
    blocks: bool = True


def driver_names() -> tuple[str, ...]:
    """All drivers, in alphabetical order."""
    return tuple(sorted(probes.NAMES))


def driver(name: object) -> Driver:
    """The driver of a name.

    Raises:
        SettingsError: there is none of that name.
    """
    try:
        known = driver_name(name)
    except ValueError as error:
        raise SettingsError("driver", name, str(error)) from error
    found: Driver = importlib.import_module(f"edge_agent.probes.{known}").DRIVER
    return found
