"""The reference workload: readings of simulated sensors, the same bytes for the same seed.

Only `random.Random.random` is drawn from: it alone is promised to give the same numbers for a seed
in all Python versions.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_agent import walk
from isotherm.contract.event_time import NS_PER_SECOND, format_event_time, parse_event_time
from isotherm.contract.fields import FORMAT, Clock
from isotherm.contract.states import MEAN_TEMPERATURE, STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

SENSORS: Final = 2_106
"""The reference's population: 81 numbers of 26 letters."""
RATE: Final = 1_000.0
START: Final = parse_event_time("2016-11-16T13:26:39.447974Z")
DESTINATION: Final = "0-AAA12345678"

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NS_PER_MICROSECOND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What decides the readings.

    Attributes:
        sensors: the population from which each reading draws its sensor.
        seed: the same seed gives the same bytes.
        start: event time of the first reading, nanoseconds since 1970.
        rate: readings per second of event time.
        origin: whether readings carry their place in their sensor's sequence.
    """

    sensors: int = SENSORS
    seed: int = 0
    start: int = START
    rate: float = RATE
    origin: bool = True

    @property
    def epoch(self) -> str:
        """Names the sequence; a file that is replayed twice counts as doubles, not as news."""
        facts = f"{self.seed} {self.sensors} {self.start} {self.rate!r}"
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


def guid(index: int) -> str:
    """The name of a sensor: 0 is 0-ZZZ12345678-00A, 2105 is 0-ZZZ12345678-80Z."""
    return f"0-ZZZ12345678-{index // 26:02d}{_LETTERS[index % 26]}"


def lines(workload: Workload, count: int) -> Iterator[str]:
    """`count` readings as JSON lines with their newline, as `isotherm.contract.encode` writes them.

    They are written from a template, as five encoders in a row would take five times as long;
    tests/edge_agent/test_workload.py holds the two together.

    Raises:
        ValueError: the event times leave the years 1 to 9999.
    """
    draw = random.Random(workload.seed)  # noqa: S311 a simulation, no secret
    uniform = draw.random
    sensors = workload.sensors
    heads: list[str | None] = [None] * sensors
    means = [0.0] * sensors
    temperatures = [0.0] * sensors
    seqs = [0] * sensors
    interval = NS_PER_SECOND / workload.rate
    middle = f'Z","payload":{{"format":"{FORMAT}","data":{{"temperature":'
    tail = f'}}}},"origin":{{"epoch":"{workload.epoch}","seq":'
    end = f',"clock":"{Clock.SYNCED.value}"}}}}\n'
    second, text = -1, ""
    for number in range(count):
        index = int(uniform() * sensors)
        head = heads[index]
        if head is None:
            state = STATES[int(uniform() * len(STATES))]
            means[index] = MEAN_TEMPERATURE[state]
            temperature = walk.first(means[index], draw)
            head = heads[index] = (
                f'{{"guid":"{guid(index)}","destination":"{DESTINATION}",'
                f'"state":"{state}","eventTime":"'
            )
        else:
            temperature = walk.following(temperatures[index], means[index], draw)
        temperatures[index] = temperature
        moment = workload.start + int(number * interval)
        now, rest = divmod(moment, NS_PER_SECOND)
        if now != second:
            second, text = now, format_event_time(now * NS_PER_SECOND)[:19]
        seqs[index] += 1
        reading = (
            f"{head}{text}.{rest // _NS_PER_MICROSECOND:06d}{middle}{walk.written(temperature)!r}"
        )
        if workload.origin:
            yield f"{reading}{tail}{seqs[index]}{end}"
        else:
            yield f"{reading}}}}}}}\n"
