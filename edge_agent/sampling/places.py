"""The probes of a board, opened, with what the sampler needs to read each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from edge_agent.errors import MissingExtraError
from edge_agent.probes.bus import Site
from edge_agent.probes.fault import Fault, ProbeError
from edge_agent.probes.registry import driver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.probes.bus import Hardware
    from edge_agent.probes.driver import Driver, Probe, ProbeSettings

TIMEOUT: Final = 4.0
"""Seconds that a read may take: five DS18B20 on parasite power convert one by one, 750 ms each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One probe of a board.

    Attributes:
        probe: gives the temperatures.
        guid: names the sensor.
        state: one of the 51 codes.
        interval: seconds between two reads.
        timeout: seconds that a read may take.
        stuck_after: see `edge_agent.sampling.sampler.Judge`.
        blocks: whether a read may take time, and so needs a thread of its own.
        settings: those that it was opened with.
    """

    probe: Probe
    guid: str
    state: str
    interval: float = 1.0
    timeout: float = TIMEOUT
    stuck_after: int = 0
    blocks: bool = True
    settings: ProbeSettings | None = None


class SamplingSettings(Protocol):
    """The rows of the agent's settings that reading its probes uses; see their table."""

    @property
    def probes(self) -> tuple[ProbeSettings, ...]:
        """One for each."""
        ...

    @property
    def sysfs(self) -> str:
        """Where the kernel's sysfs is."""
        ...

    @property
    def hardware(self) -> str:
        """Whether the buses are the board's own, or mocks."""
        ...

    def state_of(self, probe: ProbeSettings) -> str:
        """Where a probe is, one of the 51 codes."""
        ...


class Unopened:
    """A probe that could not be opened, mostly because a package is missing; each read tries again.

    Args:
        kind: its driver.
        settings: of the probe.
        site: what its driver needs beside the settings.
    """

    def __init__(self, kind: Driver, settings: ProbeSettings, site: Site) -> None:
        self._kind = kind
        self._settings = settings
        self._site = site
        self._probe: Probe | None = None

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius."""
        if self._probe is None:
            try:
                self._probe = self._kind.open(self._settings, self._site)
            except MissingExtraError as error:
                raise ProbeError(Fault.SYSTEM, str(error)) from error
        return self._probe.read()


def hardware_of(settings: SamplingSettings) -> Hardware:
    """The board's real buses, or the mocks that the settings ask for."""
    if settings.hardware == "mock":
        from edge_agent.probes.mocks import MockHardware  # noqa: PLC0415 only where it is asked for

        return MockHardware()
    from edge_agent.probes.hardware import BoardHardware  # noqa: PLC0415 the same

    return BoardHardware()


def _opened(kind: Driver, settings: ProbeSettings, site: Site) -> Probe:
    try:
        return kind.open(settings, site)
    except Exception:  # noqa: BLE001 one probe that fails must not stop the others
        return Unopened(kind, settings, site)


def places(settings: SamplingSettings, kept: Iterable[Place] = ()) -> list[Place]:
    """Open the probes of the configuration; one that cannot be opened has a fault at each read.

    Args:
        settings: of the board.
        kept: places that are open already; those whose settings are the same are used again.
    """
    found = []
    known = {(place.settings, place.state): place for place in kept}
    hardware = hardware_of(settings)
    for probe in settings.probes:
        kind = driver(probe.driver)
        state = settings.state_of(probe)
        if (same := known.get((probe, state))) is not None:
            found.append(same)
            continue
        site = Site(state=state, hardware=hardware, sysfs=Path(settings.sysfs))
        place = Place(
            probe=_opened(kind, probe, site),
            guid=probe.guid,
            state=state,
            interval=probe.interval,
            timeout=probe.timeout,
            stuck_after=probe.stuck_after,
            blocks=kind.blocks,
            settings=probe,
        )
        found.append(place)
    return found
