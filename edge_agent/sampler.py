"""From probes to readings: each that is due is read, stamped and encoded."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contract.fields import Clock, is_temperature
from contract.reading import Origin, Reading, encode
from edge_agent.degrees import fahrenheit
from edge_agent.probe import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from contract.log import Log
    from edge_agent.probe import Probe


def new_epoch() -> str:
    """The name of a new sequence: 64 random bits in hex."""
    return secrets.token_hex(8)


@dataclass(slots=True, kw_only=True)
class Place:
    """A probe and what its readings say about it.

    Attributes:
        probe: gives the temperatures.
        guid: names the sensor.
        state: one of the 51 codes.
        seq: of the last reading; 0 before the first.
        fault: why there was no temperature last time, if so.
    """

    probe: Probe
    guid: str
    state: str
    seq: int = 0
    fault: Fault | None = None


class Sampler:
    """Reads probes.

    A fault is told when it begins and when it ends, is counted, and takes no sequence number: no
    reading was lost by it.

    Args:
        places: the board's probes.
        destination: whom the readings are for.
        epoch: names this sequence; see `new_epoch`.
        log: gets the faults.
        clock: UTC, nanoseconds since 1970.
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        destination: str,
        epoch: str,
        log: Log,
        clock: Callable[[], int],
    ) -> None:
        self._places = places
        self._destination = destination
        self._epoch = epoch
        self._log = log
        self._clock = clock
        self.faults = 0

    def sample(self, due: Iterable[int]) -> list[bytes]:
        """Read the probes at these places; one encoded reading for each that is well."""
        readings = []
        for number in due:
            place = self._places[number]
            found = place.probe.read()
            now = self._clock()
            if not isinstance(found, Fault):
                temperature = fahrenheit(found)
                if is_temperature(temperature):
                    readings.append(self._encode(place, now, temperature))
                    self._tell(place, None)
                    continue
                found = Fault.RANGE
            self.faults += 1
            self._tell(place, found)
        return readings

    def _encode(self, place: Place, now: int, temperature: float) -> bytes:
        place.seq += 1
        return encode(
            Reading(
                guid=place.guid,
                destination=self._destination,
                state=place.state,
                event_time=now,
                temperature=temperature,
                origin=Origin(epoch=self._epoch, seq=place.seq, clock=Clock.SYNCED),
            )
        )

    def _tell(self, place: Place, fault: Fault | None) -> None:
        if fault is place.fault:
            return
        if fault is None:
            self._log.info("probe is well again", guid=place.guid)
        else:
            self._log.warning("probe has a fault", guid=place.guid, fault=fault)
        place.fault = fault
