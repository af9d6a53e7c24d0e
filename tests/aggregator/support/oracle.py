"""What a plain count in Python makes of readings, and of a stream of batches with its audit."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.audit import Audit
from isotherm import contract
from isotherm.contract import Gap, Reading, Rejection

Name = tuple[str, str]
"""A guid and an epoch."""


def analytics(readings: Iterable[Reading]) -> Analytics:
    """What the readings come to: the one plain count that all tests hold the job against."""
    temperatures = defaultdict(list)
    guids = defaultdict(set)
    for each in readings:
        temperatures[each.state].append(each.temperature)
        guids[each.state].add(each.guid)
    averages = {state: math.fsum(found) / len(found) for state, found in temperatures.items()}
    return Analytics(
        average_temperature_by_state=tuple(
            sorted(averages.items(), key=lambda row: (-row[1], row[0]))
        ),
        total_messages=sum(map(len, temperatures.values())),
        sensors_by_state=tuple(sorted((state, len(found)) for state, found in guids.items())),
        total_sensors=len(set().union(*guids.values())),
        further={
            "minimum_temperature_by_state": _by_state(min, temperatures),
            "maximum_temperature_by_state": _by_state(max, temperatures),
        },
    )


def _by_state(
    of: Callable[[list[float]], float], temperatures: Mapping[str, list[float]]
) -> tuple[tuple[str, float], ...]:
    return tuple(sorted((state, of(found)) for state, found in temperatures.items()))


@dataclass
class Oracle:
    """All that was counted since the start."""

    seqs: dict[Name, set[int]] = field(default_factory=lambda: defaultdict(set))
    gaps: dict[Name, list[Gap]] = field(default_factory=lambda: defaultdict(list))
    duplicates: dict[Name, int] = field(default_factory=lambda: defaultdict(int))
    readings: list[Reading] = field(default_factory=list)

    def add(self, partitions: Iterable[Iterable[bytes]]) -> None:
        self.add_judged(map(contract.judge, partition) for partition in partitions)

    def add_judged(self, partitions: Iterable[Iterable[Reading | Gap | Rejection]]) -> None:
        """As `add`, where the verdicts are known."""
        for partition in partitions:
            for record in _in_order(partition):
                self._take(record)

    def _take(self, record: Reading | Gap) -> None:
        if record.origin is not None:
            name = (record.guid, record.origin.epoch)
            if record.origin.seq in self.seqs[name]:
                self.duplicates[name] += 1
                return
            self.seqs[name].add(record.origin.seq)
        if isinstance(record, Reading):
            self.readings.append(record)
        else:
            self.gaps[record.guid, record.epoch].append(record)

    def analytics(self) -> Analytics:
        return analytics(self.readings)

    def moved(self) -> int:
        """How many guids were seen in several states."""
        states = Counter(guid for _, guid in {(each.state, each.guid) for each in self.readings})
        return sum(number > 1 for number in states.values())

    def sequences(self) -> dict[Name, tuple[int, int, int, int, int]]:
        """Expected, received, missing, explained and duplicated of each guid and epoch."""
        names = {name for name, seqs in self.seqs.items() if seqs} | self.gaps.keys()
        return {name: self._sequence(name) for name in names}

    def _sequence(self, name: Name) -> tuple[int, int, int, int, int]:
        seqs, gaps = self.seqs.get(name, set()), self.gaps.get(name, [])
        expected = max(seqs | {gap.last for gap in gaps})
        explained = sum(
            min(sum(gap.count for gap in group), _holes(group, seqs))
            for group in _overlapping(gaps)
        )
        missing = expected - len(seqs) - explained
        return expected, len(seqs), missing, explained, self.duplicates.get(name, 0)

    def audit(self, *, unsynced: int = 0) -> Audit:
        rows = list(self.sequences().values())
        expected, received, missing, explained, duplicated = (
            sum(row[column] for row in rows) for column in range(5)
        )
        return Audit(
            expected=expected,
            received=received,
            gaps=sum(map(len, self.gaps.values())),
            missing=missing,
            explained=explained,
            duplicated=duplicated,
            unsynced=unsynced,
        )


def _in_order(partition: Iterable[Reading | Gap | Rejection]) -> Iterator[Reading | Gap]:
    """Sensor by sensor in the order in which they first came, then gaps: as the workers' rows."""
    sensors: dict[object, list[Reading]] = defaultdict(list)
    gaps = []
    for verdict in partition:
        if isinstance(verdict, Reading):
            epoch = verdict.origin.epoch if verdict.origin else None
            sensors[verdict.state, verdict.guid, epoch].append(verdict)
        elif isinstance(verdict, Gap):
            gaps.append(verdict)
    for readings in sensors.values():
        yield from readings
    yield from gaps


def _holes(group: Sequence[Gap], seqs: set[int]) -> int:
    """How many numbers of the range did not come; counted, since a range may be absurdly long."""
    first, last = min(gap.first for gap in group), max(gap.last for gap in group)
    return last - first + 1 - sum(first <= seq <= last for seq in seqs)


def _overlapping(gaps: Iterable[Gap]) -> list[list[Gap]]:
    groups: list[list[Gap]] = []
    for gap in sorted(gaps, key=lambda gap: (gap.first, gap.last)):
        if groups and gap.first <= max(other.last for other in groups[-1]):
            groups[-1].append(gap)
        else:
            groups.append([gap])
    return groups
