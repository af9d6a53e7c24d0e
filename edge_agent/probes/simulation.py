"""Simulated temperatures: a random walk, the daily wave, and the reference workload made of them.

Only `random.Random.random` is drawn from: it alone is promised to give the same numbers for a seed
in all Python versions.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from isotherm.contract.event_time import NS_PER_SECOND, format_event_time, parse_event_time
from isotherm.contract.fields import FORMAT, Clock
from isotherm.contract.states import MEAN_TEMPERATURE, STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


STEP: Final = 1.0
"""The most that one reading differs from the one before, degrees Fahrenheit."""
FIRST: Final = 5.0
"""The most that the first reading differs from the mean, degrees Fahrenheit."""
SPAN: Final = 50.0
"""The walk turns back at the mean ± this. The reference's walk has no bound and would leave the
contract's range after some hundred thousand readings of one sensor."""


def first_temperature(mean: float, draw: random.Random) -> float:
    """Where a walk begins, degrees Fahrenheit: the mean ± `FIRST`."""
    return mean + (2.0 * draw.random() - 1.0) * FIRST


def next_temperature(temperature: float, mean: float, draw: random.Random) -> float:
    """The temperature after `temperature`, degrees Fahrenheit: at most `STEP` away."""
    step = (2.0 * draw.random() - 1.0) * STEP
    after = temperature + step
    return after if abs(after - mean) <= SPAN else temperature - step


def rounded(temperature: float) -> float:
    """A temperature as the reference writes it: one decimal, and never -0.0."""
    return round(temperature, 1) + 0.0


WARMEST: Final = 15.0
"""The hour of the day at which it is warmest."""
_HOURS: Final = 24.0
_BY_OFFSET: Final = {
    -5: "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
    -6: "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    -7: "AZ CO ID MT NM UT WY",
    -8: "CA NV OR WA",
    -9: "AK",
    -10: "HI",
}
UTC_OFFSET: Final = MappingProxyType(
    {state: offset for offset, states in _BY_OFFSET.items() for state in states.split()}
)
"""Hours of each state's standard time, where most of its people live (49 CFR part 71)."""


class Wave:
    """How much warmer than the day's mean it is, degrees Fahrenheit.

    Args:
        state: one of the 51 codes.
        swing: degrees Fahrenheit between the mean and the warmest.
        day: how long a day takes, seconds; a short one can be watched.
        clock: the system clock, nanoseconds since 1970.
    """

    def __init__(self, state: str, *, swing: float, day: float, clock: Callable[[], int]) -> None:
        self._swing = swing
        self._day_ns = day * 1e9
        self._phase = (UTC_OFFSET[state] - WARMEST) / _HOURS
        self._clock = clock

    def __call__(self) -> float:
        """Now."""
        if not self._swing:
            return 0.0
        turns = self._clock() / self._day_ns + self._phase
        return self._swing * math.cos(2.0 * math.pi * turns)


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
    tests/edge_agent/probes/test_simulation.py holds the two together.

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
            temperature = first_temperature(means[index], draw)
            head = heads[index] = (
                f'{{"guid":"{guid(index)}","destination":"{DESTINATION}",'
                f'"state":"{state}","eventTime":"'
            )
        else:
            temperature = next_temperature(temperatures[index], means[index], draw)
        temperatures[index] = temperature
        moment = workload.start + int(number * interval)
        now, rest = divmod(moment, NS_PER_SECOND)
        if now != second:
            second, text = now, format_event_time(now * NS_PER_SECOND)[:19]
        seqs[index] += 1
        reading = f"{head}{text}.{rest // _NS_PER_MICROSECOND:06d}{middle}{rounded(temperature)!r}"
        if workload.origin:
            yield f"{reading}{tail}{seqs[index]}{end}"
        else:
            yield f"{reading}}}}}}}\n"
