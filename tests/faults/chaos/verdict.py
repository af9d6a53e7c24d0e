"""What became of everything, and whether that is what was promised. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from isotherm import contract
from isotherm.contract import Clock, Gap, Reading, Rejection
from tests.aggregator.support.oracle import Oracle
from tests.faults.chaos.journal import Name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tests.faults.chaos.journal import Made
    from tests.support import Kept

_LANES: Final = 2
"""Of one sensor, what is live and what is backlog travel beside each other, each in order."""
_SHOWN: Final = 3
"""Examples in a problem."""


class Sent(NamedTuple):
    """Something hostile that was sent, and how it is found again.

    Attributes:
        kind: of `tests.faults.chaos.hostile`.
        topic: the MQTT topic, which nothing else has; empty for a record of Kafka.
        place: partition and offset in Kafka's topic of readings; None for an MQTT message.
        payload: its bytes.
        optional: whether the MQTT broker may keep it to itself, since it is above the Maximum
            Packet Size of whoever subscribes (MQTT-3.1.2-25).
    """

    kind: str
    topic: str
    place: tuple[int, int] | None
    payload: bytes | None
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was found at the end.

    Attributes:
        made: what the agents' journals tell.
        records: all committed records of the topic of readings, each partition in order.
        letters: all committed dead letters.
        hostile: what was sent beside the agents.
        shown: the snapshot that the page shows; None where it shows none.
        noted: what else was noticed and must not be, such as a traceback in a log.
        verdicts: on the records, one by one; found where they are not given.
    """

    made: Made
    records: Sequence[Kept]
    letters: Sequence[Kept] = ()
    hostile: Sequence[Sent] = ()
    shown: Mapping[str, Any] | None
    noted: Sequence[str] = ()
    verdicts: Sequence[Reading | Gap | Rejection] = ()

    def __post_init__(self) -> None:
        if not self.verdicts:
            object.__setattr__(self, "verdicts", verdicts(self.records))


@dataclass
class Verdict:
    """Numbers for people, and the problems; without one all is as promised."""

    numbers: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, what: str, examples: Sequence[object], *, problem: bool = True) -> None:
        """Note how many there are of something, which is a problem if there are any."""
        self.numbers[what] = len(examples)
        if problem and examples:
            few = ", ".join(str(example)[:120] for example in examples[:_SHOWN])
            self.problems.append(f"{what} {len(examples)}: {few}")

    def __str__(self) -> str:
        said = ", ".join(f"{what} {number:,}" for what, number in self.numbers.items())
        return "\n".join([said, *(f"PROBLEM {problem}" for problem in self.problems)])


def verdicts(records: Iterable[Kept]) -> list[Reading | Gap | Rejection]:
    """On each record; one without a value is like an empty one."""
    return [contract.judge(record.value or b"") for record in records]


def judge(evidence: Evidence) -> Verdict:
    """Hold all that was found against all that was made."""
    verdict = Verdict()
    ours = {name.guid for name in evidence.made.temperatures} | evidence.made.sent.keys()
    came = _Came(evidence, ours)
    _arrivals(evidence.made, came, verdict)
    _order(evidence.made, came, verdict)
    _hostile(evidence, verdict)
    _page(evidence, verdict)
    verdict.count("noted", evidence.noted)
    return verdict


class _Came:
    """The records of our agents, taken apart once."""

    def __init__(self, evidence: Evidence, ours: set[str]) -> None:
        self.lines: dict[str, list[bytes]] = defaultdict(list)
        self.names: dict[str, list[Name]] = defaultdict(list)
        self.temperatures: dict[Name, float | None] = {}
        self.gaps: dict[tuple[str, str], list[Gap]] = defaultdict(list)
        gaps = set()
        for record, verdict in zip(evidence.records, evidence.verdicts, strict=True):
            if isinstance(verdict, Rejection) or verdict.guid not in ours:
                continue
            assert verdict.origin is not None
            name = Name(verdict.guid, verdict.origin.epoch, verdict.origin.seq)
            self.lines[verdict.guid].append(record.value)
            self.names[verdict.guid].append(name)
            self.temperatures[name] = verdict.temperature if isinstance(verdict, Reading) else None
            if isinstance(verdict, Gap) and name not in gaps:
                gaps.add(name)
                self.gaps[verdict.guid, verdict.epoch].append(verdict)


def _arrivals(made: Made, came: _Came, verdict: Verdict) -> None:
    """Lost, and changed: expected = received + declared gaps."""
    wanted, found = made.temperatures, came.temperatures
    absent: dict[tuple[str, str], list[int]] = defaultdict(list)
    for name in wanted.keys() - found.keys():
        absent[name.guid, name.epoch].append(name.seq)
    lost = []
    explained = 0
    for (guid, epoch), seqs in absent.items():
        left = unexplained(seqs, came.gaps.get((guid, epoch), ()))
        explained += len(seqs) - len(left)
        lost += [Name(guid, epoch, seq) for seq in left]
    verdict.numbers["made"] = len(wanted)
    verdict.numbers["received"] = len(wanted.keys() & found.keys())
    verdict.numbers["declared gaps"] = explained
    # An agent that was killed may drop what had arrived all the same; one that lives may not often.
    verdict.numbers["declared and received"] = sum(
        needless(gaps, {name.seq for name in came.names[guid] if name.epoch == epoch})
        for (guid, epoch), gaps in came.gaps.items()
    )
    if not wanted.keys() & found.keys():
        verdict.problems.append("nothing that an agent made was received: the run proves nothing")
    verdict.count("lost", sorted(lost))
    verdict.count(
        "of another content",
        [name for name, value in found.items() if name in wanted and wanted[name] != value],
    )


def unexplained(seqs: Iterable[int], gaps: Iterable[Gap]) -> list[int]:
    """What did not come and no gap tells of; gaps that overlap tell of so many of their range."""
    left = sorted(seqs)
    groups: list[tuple[int, int, int]] = []
    for gap in sorted(gaps, key=lambda gap: (gap.first, gap.last)):
        if groups and gap.first <= groups[-1][1]:
            first, last, count = groups[-1]
            groups[-1] = first, max(last, gap.last), count + gap.count
        else:
            groups.append((gap.first, gap.last, gap.count))
    for first, last, count in groups:
        inside = [seq for seq in left if first <= seq <= last]
        gone = set(inside[:count])
        left = [seq for seq in left if seq not in gone]
    return left


def needless(gaps: Iterable[Gap], came: Collection[int]) -> int:
    """How many readings gaps tell of beyond those of their range that did not come."""
    more, here = 0, sorted(came)
    for gap in gaps:
        inside = bisect_right(here, gap.last) - bisect_left(here, gap.first)
        more += max(0, gap.count - (gap.last - gap.first + 1 - inside))
    return more


def _order(made: Made, came: _Came, verdict: Verdict) -> None:
    """Doubled, changed, disordered: of a sensor, Kafka has what was sent, as it was sent."""
    again, doubled, changed, disordered, beside = 0, [], [], [], []
    for guid, lines in came.lines.items():
        sends = made.sent.get(guid, [])
        more = Counter(lines) - Counter(sends)
        again += len(lines) - len(set(came.names[guid]))
        known = set(sends)
        changed += [line for line in more if line not in known]
        doubled += [line for line, count in more.items() if line in known for _ in range(count)]
        if not more and not follows(lines, sends):
            disordered.append(guid)
        by_epoch: dict[str, list[int]] = defaultdict(list)
        for name in dict.fromkeys(came.names[guid]):
            by_epoch[name.epoch].append(name.seq)
        beside += [(guid, epoch) for epoch, seqs in by_epoch.items() if lanes(seqs) > _LANES]
    verdict.numbers["sent"] = made.sends
    verdict.numbers["in Kafka"] = sum(map(len, came.lines.values()))
    verdict.numbers["came again from their agent"] = again
    verdict.count("doubled", doubled)
    verdict.count("changed", changed)
    verdict.count("sensors out of order", disordered)
    verdict.count("sensors in more than two lanes", beside)


def follows(some: Iterable[object], everything: Iterable[object]) -> bool:
    """Whether the first is the second with some left out."""
    rest = iter(everything)
    return all(one in rest for one in some)


def lanes(numbers: Iterable[int]) -> int:
    """The fewest rising sequences of which the numbers, all different, can be a mix."""
    # The last number of each, from the highest down: a number goes behind the nearest below it.
    lasts: list[int] = []
    for number in numbers:
        place = bisect_left(lasts, -number)
        lasts[place : place + 1] = [-number]
    return len(lasts)


def _hostile(evidence: Evidence, verdict: Verdict) -> None:
    """Each hostile record has its dead letters, or was a reading after all and is counted."""
    by_topic: dict[bytes, list[Kept]] = defaultdict(list)
    by_place: dict[tuple[bytes, bytes], list[Kept]] = defaultdict(list)
    for letter in evidence.letters:
        headers = letter.headers
        if "mqtt_topic" in headers:
            by_topic[headers["mqtt_topic"]].append(letter)
        elif "offset" in headers:
            by_place[headers["partition"], headers["offset"]].append(letter)
    values = {record.value for record in evidence.records}
    unaccounted = []
    for sent in evidence.hostile:
        if sent.place is not None:
            partition, offset = (str(number).encode() for number in sent.place)
            well = _counts(sent.payload) or bool(by_place[partition, offset])
        else:
            well = _told(sent.payload or b"", by_topic[sent.topic.encode()], values)
        if not well and not sent.optional:
            unaccounted.append(f"{sent.kind} {sent.topic or sent.place}")
    verdict.numbers["hostile"] = len(evidence.hostile)
    verdict.numbers["dead letters"] = len(evidence.letters)
    verdict.count("hostile without a letter", unaccounted)


def _counts(payload: bytes | None) -> bool:
    return not isinstance(contract.judge(payload or b""), Rejection)


def _told(payload: bytes, letters: Sequence[Kept], values: set[bytes]) -> bool:
    """Whether each line of an MQTT message is a reading in Kafka or has a letter."""
    # The whole message is one letter, maybe in parts, and maybe twice, as its sender was unsure.
    parts = {letter.headers.get("part", b""): letter.value for letter in letters}
    whole = b"".join(parts[number] for number in sorted(parts, key=lambda part: int(part or 0)))
    if letters and whole == payload:
        return True
    digest = hashlib.sha256(payload).hexdigest().encode()
    if any(digest in letter.headers.get("detail", b"") for letter in letters):
        # Of a very large one, a letter has the beginning and the digest.
        return True
    lines = Counter(line for line in payload.split(b"\n") if line.strip()) or Counter([payload])
    lines -= Counter(letter.value for letter in letters)
    return all(line in values for line in lines)


def _page(evidence: Evidence, verdict: Verdict) -> None:
    """What the page shows, against a plain count of the topic."""
    shown = evidence.shown
    if shown is None:
        verdict.problems.append("the page shows no snapshot")
        return
    oracle = Oracle()
    unsynced = 0
    rejected: Counter[str] = Counter()
    partitions: dict[int, list[Reading | Gap | Rejection]] = defaultdict(list)
    for record, found in zip(evidence.records, evidence.verdicts, strict=True):
        partitions[record.partition].append(found)
        if isinstance(found, Rejection):
            rejected[found.reason.value] += 1
        elif isinstance(found, Reading) and found.origin is not None:
            unsynced += found.origin.clock is Clock.UNSYNCED
    oracle.add_judged(partitions.values())
    wanted = oracle.analytics()
    scope = shown["scopes"]["since_start"]
    audit = asdict(oracle.audit(unsynced=unsynced))
    verdict.numbers["counted by the page"] = scope["total_messages"]
    for what, has, should in (
        ("audit", shown["audit_since_start"], audit),
        ("rejected", shown["rejected_since_start"], dict(rejected)),
        ("total_messages", scope["total_messages"], wanted.total_messages),
        ("total_sensors", scope["total_sensors"], wanted.total_sensors),
        ("sensors_by_state", _rows(scope, "sensors_by_state"), dict(wanted.sensors_by_state)),
    ):
        if has != should:
            verdict.problems.append(
                f"the page's {what} is {json.dumps(has)} and the topic's {json.dumps(should)}"
            )
    averages = _rows(scope, "average_temperature_by_state")
    right = dict(wanted.average_temperature_by_state)
    if averages.keys() != right.keys() or not all(
        math.isclose(averages[state], right[state], rel_tol=0, abs_tol=1e-9) for state in right
    ):
        verdict.problems.append(f"the page's averages are {averages} and the topic's {right}")


def _rows(scope: Mapping[str, Any], name: str) -> dict[str, float]:
    return dict(map(tuple, scope[name]))
