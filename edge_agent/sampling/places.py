"""A probe in its place: what the sampler needs to know to read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.errors import MissingExtraError
from edge_agent.fault import Fault, ProbeError
from edge_agent.probe import driver
from edge_agent.site import Site, hardware_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.probe import Driver, Probe, ProbeSettings
    from edge_agent.settings.agent import AgentSettings

TIMEOUT: Final = 4.0
"""Seconds that a read may take: five DS18B20 on parasite power take turns of 750 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One probe of a board.

    Attributes:
        probe: gives the temperatures.
        guid: names the sensor.
        state: one of the 51 codes.
        timeout: seconds that a read may take.
        stuck_after: see `edge_agent.sampling.sampler.Judge`.
        blocks: whether a read may take time, and so needs a thread of its own.
        settings: what it was made of.
    """

    probe: Probe
    guid: str
    state: str
    timeout: float = TIMEOUT
    stuck_after: int = 0
    blocks: bool = True
    settings: ProbeSettings | None = None


class Unopened:
    """A probe that could not be opened, for want of a package mostly; each read tries again.

    Args:
        kind: its driver.
        settings: of the probe.
        site: where it is.
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


def _opened(kind: Driver, settings: ProbeSettings, site: Site) -> Probe:
    try:
        return kind.open(settings, site)
    except Exception:  # noqa: BLE001 one probe must not keep the others from being read
        return Unopened(kind, settings, site)


def places(settings: AgentSettings, kept: Iterable[Place] = ()) -> list[Place]:
    """The probes of the configuration, opened; one that cannot be opened has a fault at each read.

    Args:
        settings: of the board.
        kept: places that are open; those that would become the same stay open.
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
            timeout=probe.timeout,
            stuck_after=probe.stuck_after,
            blocks=kind.blocks,
            settings=probe,
        )
        found.append(place)
    return found
