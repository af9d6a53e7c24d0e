"""A probe without hardware: the reference's random walk around the mean of its state."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contract.settings import optional, setting, whole
from contract.states import MEAN_TEMPERATURE
from edge_agent import walk
from edge_agent.degrees import celsius
from edge_agent.probe import Driver, ProbeSettings

if TYPE_CHECKING:
    from edge_agent.fault import Fault


@dataclass(frozen=True, kw_only=True)
class SimulatedSettings(ProbeSettings):
    """A simulated probe."""

    seed: int | None = setting(
        "seed",
        optional(whole(0, 2**32 - 1)),
        default=None,
        help="The same seed and guid give the same temperatures; without it they differ each time.",
    )


class SimulatedProbe:
    """Walks by at most 1 °F per reading.

    Args:
        mean: degrees Fahrenheit around which it walks.
        draw: a source of randomness.
    """

    def __init__(self, mean: float, draw: random.Random) -> None:
        self._mean = mean
        self._draw = draw
        self._temperature: float | None = None

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius; has no faults."""
        if self._temperature is None:
            self._temperature = walk.first(self._mean, self._draw)
        else:
            self._temperature = walk.following(self._temperature, self._mean, self._draw)
        return celsius(walk.written(self._temperature))


def _open(settings: SimulatedSettings, state: str) -> SimulatedProbe:
    # Probes that share a seed must not walk in step.
    seed = (
        None if settings.seed is None else settings.seed << 32 | zlib.crc32(settings.guid.encode())
    )
    return SimulatedProbe(MEAN_TEMPERATURE[state], random.Random(seed))  # noqa: S311 no secret


DRIVER = Driver(settings=SimulatedSettings, open=_open, blocks=False)
