"""From probes to samples: each that is due is read, and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contract.fields import is_temperature
from edge_agent.degrees import fahrenheit
from edge_agent.probe import Fault
from edge_agent.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from contract.log import Log
    from edge_agent.probe import Probe


@dataclass(slots=True, kw_only=True)
class Place:
    """A probe and what its readings say about it.

    Attributes:
        probe: gives the temperatures.
        guid: names the sensor.
        state: one of the 51 codes.
        fault: why there was no temperature last time, if so.
    """

    probe: Probe
    guid: str
    state: str
    fault: Fault | None = None


class Sampler:
    """Reads probes.

    A fault is told when it begins and when it ends, is counted, and gives no sample: no reading
    was lost by it.

    Args:
        places: the board's probes.
        log: gets the faults.
        clock: the system clock, nanoseconds since 1970.
        uptime: nanoseconds since the board started.
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        log: Log,
        clock: Callable[[], int],
        uptime: Callable[[], int],
    ) -> None:
        self._places = places
        self._log = log
        self._clock = clock
        self._uptime = uptime
        self.faults = 0

    def sample(self, due: Iterable[int]) -> list[Sample]:
        """Read the probes at these places; one sample of each that is well."""
        samples = []
        for number in due:
            place = self._places[number]
            found = place.probe.read()
            wall, uptime = self._clock(), self._uptime()
            if not isinstance(found, Fault):
                temperature = fahrenheit(found)
                if is_temperature(temperature):
                    samples.append(Sample(place.guid, place.state, temperature, wall, uptime))
                    self._tell(place, None)
                    continue
                found = Fault.RANGE
            self.faults += 1
            self._tell(place, found)
        return samples

    def _tell(self, place: Place, fault: Fault | None) -> None:
        if fault is place.fault:
            return
        if fault is None:
            self._log.info("probe is well again", guid=place.guid)
        else:
            self._log.warning("probe has a fault", guid=place.guid, fault=fault)
        place.fault = fault
