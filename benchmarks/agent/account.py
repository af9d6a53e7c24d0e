"""What arrived, held against what the agents had: lost, doubled, disordered."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.bridge.verify import Verdict
from isotherm.contract.reading import Reading
from isotherm.contract.verdict import judge as examine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.agent.collector import Arrival

NS: Final = 1_000_000_000


class Name(NamedTuple):
    """What names a reading for ever: its sensor, and its place in the sensor's sequence."""

    guid: str
    epoch: str
    seq: int


class Heard(NamedTuple):
    """One reading that arrived.

    Attributes:
        name: which one.
        at: when it came, seconds of the monotonic clock.
        age: seconds since it was measured.
    """

    name: Name
    at: float
    age: float


class Account(NamedTuple):
    """What arrived.

    Attributes:
        heard: the readings, in the order in which they came.
        wrong: lines that are no reading with a place in a sequence.
    """

    heard: list[Heard]
    wrong: int

    def of(self, prefix: str) -> Account:
        """Of the sensors alone whose guid begins so; what is wrong is everybody's."""
        return Account([h for h in self.heard if h.name.guid.startswith(prefix)], self.wrong)


def account(arrivals: Iterable[Arrival]) -> Account:
    """Take the messages apart."""
    heard = []
    wrong = 0
    for arrival in arrivals:
        for line in arrival.payload.split(b"\n"):
            found = examine(line)
            if not isinstance(found, Reading) or found.origin is None:
                wrong += 1
                continue
            name = Name(found.guid, found.origin.epoch, found.origin.seq)
            heard.append(Heard(name, arrival.at, (arrival.wall - found.event_time) / NS))
    return Account(heard, wrong)


def names(lines: Iterable[bytes]) -> list[Name]:
    """The names of readings, one a line; what is none is left out."""
    found = (examine(line) for line in lines)
    return [
        Name(each.guid, each.origin.epoch, each.origin.seq)
        for each in found
        if isinstance(each, Reading) and each.origin is not None
    ]


def judge(arrived: Account, *, before: Iterable[Name] = (), left: Iterable[Name] = ()) -> Verdict:
    """Whether all arrived that was given a name, once and in order.

    A sequence counts from 1 without gaps, so what is missing below its highest number is lost.

    Args:
        arrived: what did.
        before: what waited in the outbox at the start.
        left: what still waits there at the end: not lost, and doubled if it arrived, too.
    """
    times = Counter(each.name for each in arrived.heard)
    remaining = set(left)
    highest: dict[tuple[str, str], int] = defaultdict(int)
    for name in (*times, *remaining, *before):
        highest[name[:2]] = max(highest[name[:2]], name.seq)
    known = times.keys() | remaining
    last: dict[tuple[str, str], int] = {}
    disordered = 0
    for name in times:
        # A Counter keeps the order in which its keys came first.
        disordered += name.seq < last.get(name[:2], 0)
        last[name[:2]] = max(name.seq, last.get(name[:2], 0))
    return Verdict(
        lost=sum(highest.values()) - len(known),
        doubled=sum(count - 1 for count in times.values()) + len(times.keys() & remaining),
        disordered=disordered,
        wrong=arrived.wrong,
    )
