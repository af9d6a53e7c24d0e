"""A probe without hardware: the reference's random walk around the mean of its state.

On request it misbehaves as real ones do, so that what comes behind it can be tried.
"""

from __future__ import annotations

import random
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_agent.parsers import number
from edge_agent.probes.driver import Driver, ProbeSettings
from edge_agent.probes.fault import Fault
from edge_agent.probes.simulation import Wave, first_temperature, next_temperature, rounded
from edge_agent.probes.temperature import celsius
from isotherm.contract.states import MEAN_TEMPERATURE
from isotherm.settings.table import duration, optional, setting, whole

if TYPE_CHECKING:
    from edge_agent.probes.bus import Site

SPIKE: Final = 40.0
"""How far a spike lies from the walk, degrees Fahrenheit, up or down."""


@dataclass(frozen=True, kw_only=True)
class SimulatedSettings(ProbeSettings):
    """The random walk of the reference workload, without hardware."""

    seed: int | None = setting(
        "seed",
        optional(whole(0, 2**32 - 1)),
        default=None,
        help="The same seed and guid give the same temperatures; without it they differ each time.",
    )
    drift: float = setting(
        "drift",
        number(-1_000, 1_000),
        default=0.0,
        help="Degrees Fahrenheit by which it is more wrong after each 1000 readings.",
    )
    spikes: float = setting(
        "spikes",
        number(0, 1),
        default=0.0,
        help="How many of its readings are 40 °F off, from 0 to 1.",
    )
    dropouts: float = setting(
        "dropouts",
        number(0, 1),
        default=0.0,
        help="How many of its reads fail with the fault missing, from 0 to 1.",
    )
    swing: float = setting(
        "swing",
        number(0, 100),
        default=0.0,
        help="Degrees Fahrenheit between a day's mean and its warmest hour, 15:00 by the state's "
        "standard time.",
    )
    day: float = setting(
        "day", duration, default="24h", help="How long a day takes; a short one can be watched."
    )
    stuck_at: int | None = setting(
        "stuck_at",
        optional(whole(1, 2**31)),
        default=None,
        help="The number of the reading after which it gives the same for ever.",
    )


class SimulatedProbe:
    """Walks by at most 1 °F per reading, on top of the daily wave.

    Args:
        settings: how it misbehaves.
        mean: degrees Fahrenheit around which it walks.
        wave: degrees Fahrenheit that the hour adds.
        draw: randomness of the walk.
        mishaps: randomness of what goes wrong; apart, so that the walk stays the same.
    """

    def __init__(
        self,
        settings: SimulatedSettings,
        mean: float,
        wave: Wave,
        draw: random.Random,
        mishaps: random.Random,
    ) -> None:
        self._settings = settings
        self._mean = mean
        self._wave = wave
        self._draw = draw
        self._mishaps = mishaps
        self._walk: float | None = None
        self._given = 0
        self._last = 0.0

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius, or `Fault.MISSING` for a dropout."""
        if self._mishaps.random() < self._settings.dropouts:
            return Fault.MISSING
        if self._given == self._settings.stuck_at:
            return self._last
        if self._walk is None:
            self._walk = first_temperature(self._mean, self._draw)
        else:
            self._walk = next_temperature(self._walk, self._mean, self._draw)
        temperature = self._walk + self._wave() + self._settings.drift * self._given / 1_000
        if self._mishaps.random() < self._settings.spikes:
            temperature += SPIKE if self._mishaps.random() < 0.5 else -SPIKE  # noqa: PLR2004 a coin
        self._given += 1
        self._last = celsius(rounded(temperature))
        return self._last


def _open(settings: SimulatedSettings, site: Site) -> SimulatedProbe:
    # Probes that share a seed must not walk in step.
    seed = (
        None if settings.seed is None else settings.seed << 32 | zlib.crc32(settings.guid.encode())
    )
    return SimulatedProbe(
        settings,
        MEAN_TEMPERATURE[site.state],
        Wave(site.state, swing=settings.swing, day=settings.day, clock=time.time_ns),
        random.Random(seed),  # noqa: S311 no secret
        random.Random(seed),  # noqa: S311 no secret
    )


DRIVER = Driver(settings=SimulatedSettings, open=_open, blocks=False)
