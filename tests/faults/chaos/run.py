"""Carries a plan out, has everything run again and drain, and judges."""

from __future__ import annotations

import base64
import json
import random
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract import Gap, Reading, Rejection
from isotherm.errors import EXIT_USAGE
from isotherm.mqtt.topics import DEAD_LETTER_SUFFIX, KAFKA_READINGS
from tests.faults.chaos import hostile
from tests.faults.chaos.disks import may_mount
from tests.faults.chaos.journal import read_journals
from tests.faults.chaos.parts import send
from tests.faults.chaos.pipeline import Pipeline, unable
from tests.faults.chaos.plan import (
    AGENTS,
    BRIDGE,
    JOB,
    PAGE,
    WORKER,
    Action,
    Verb,
    part_of,
    plan,
    summary,
)
from tests.faults.chaos.recorded_agent import set_clock
from tests.faults.chaos.stranger import Stranger
from tests.faults.chaos.verdict import Evidence, judge, verdicts
from tests.support import topic_records, topic_size

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from tests.faults.chaos.parts import End
    from tests.faults.chaos.verdict import Verdict
    from tests.support import Kept

LOOK: Final = 0.1
DRAIN: Final = 300.0
"""Seconds in which everything must run again and have passed on what it holds."""
QUIET: Final = 6.0
"""Seconds without a new record after which nothing is on its way any more."""
_NS: Final = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is made of.

    Attributes:
        seed: decides the plan.
        minutes: how long faults go on.
        without: kinds that are left out.
        kafka_client: of the bridge.
    """

    seed: int
    minutes: float
    without: Collection[str] = ()
    kafka_client: str = "librdkafka"


def run(what: Run, folder: Path, report: Callable[[str], None]) -> Verdict:
    """Carry it out.

    Args:
        what: the run.
        folder: an empty one; what is found stays there.
        report: shows a line.
    """
    mounts = may_mount(folder / "trial")
    if not mounts:
        report("disks are never full: only root may mount the small ones that this needs")
    actions = plan(
        what.seed,
        what.minutes,
        hostile=hostile.KINDS,
        without=what.without,
        unable=unable(mounts=mounts),
    )
    report(f"seed {what.seed}, {what.minutes:g} minutes, {len(actions)} actions")
    for action in actions:
        report(str(action))
    with Pipeline(folder, kafka_client=what.kafka_client, mounts=mounts, report=report) as pipeline:
        runner = _Runner(pipeline, what.seed, report)
        runner.carry_out(actions)
        runner.heal()
        evidence = runner.drain()
    verdict = judge(evidence)
    report(summary(actions))
    for line in str(verdict).split("\n"):
        report(line)
    if verdict.problems:
        dump(evidence.records, folder / "readings.jsonl")
        dump(evidence.letters, folder / "dead-letters.jsonl")
        (folder / "page.json").write_text(json.dumps(evidence.shown), encoding="utf-8")
    return verdict


class _Runner:
    """Does what the plan says, while everything is supervised."""

    def __init__(self, pipeline: Pipeline, seed: int, report: Callable[[str], None]) -> None:
        self._pipeline = pipeline
        self._supervisor = pipeline.supervisor
        self._seed = seed
        self._report = report
        self._stranger = Stranger(
            pipeline.mqtt_port, pipeline.kafka, tuple(pipeline.ports.values()), report
        )
        self._noted: list[str] = []
        self._asked_of_strangers = False
        self._began = time.monotonic()

    def carry_out(self, actions: list[Action]) -> None:
        """All of them, each at its time."""
        self._began = time.monotonic()
        due = [(action.at, number, True) for number, action in enumerate(actions)]
        due += [
            (action.at + action.seconds, number, False)
            for number, action in enumerate(actions)
            if action.seconds
        ]
        for at, number, begins in sorted(due):
            while self._now() < at:
                self._look()
            if begins:
                self._say(str(actions[number])[11:])
                self._begin(actions[number], number)
            else:
                self._end(actions[number])

    def heal(self) -> None:
        """Have everything whole again; what the plan began it has ended."""
        self._say("everything is whole again; hostile messages are sent to their end")
        finishing = threading.Thread(target=self._stranger.finish, daemon=True)
        finishing.start()
        while finishing.is_alive():
            self._look()
        if self._asked_of_strangers and not self._stranger.sent:
            self._noted.append("nothing hostile was taken by any broker")

    def drain(self) -> Evidence:
        """Have all arrive, end the agents, and gather what there is."""
        self._say("no more readings; everything passes on what it has")
        for agent in AGENTS:
            self._pipeline.configure(agent, "1h")
            child = self._supervisor.parts[agent].child
            if child is not None:
                send(child.pid, signal.SIGHUP)
        self._until(self._outboxes_are_empty, "the outboxes are not empty")
        for agent in AGENTS:
            self._supervisor.stop(agent)
        self._until(self._is_quiet(), "the bridge still has something in hand")
        records = topic_records(self._pipeline.kafka, KAFKA_READINGS)
        found = verdicts(records)
        total = _total(found)
        self._until(lambda: self._shows(total), f"the page does not show {total} readings")
        shown = self._pipeline.shown()
        letters = topic_records(self._pipeline.kafka, KAFKA_READINGS + DEAD_LETTER_SUFFIX)
        self._say("stopping")
        for name in (BRIDGE, JOB, PAGE):
            self._supervisor.stop(name)
        self._note_ends()
        made = read_journals(
            self._pipeline.journal(agent).read_bytes().split(b"\n") for agent in AGENTS
        )
        return Evidence(
            made=made,
            records=records,
            letters=letters,
            hostile=self._stranger.sent,
            shown=shown,
            noted=[*self._noted, *self._stranger.noted],
            verdicts=found,
        )

    def _begin(self, action: Action, number: int) -> None:
        match action.verb:
            case Verb.HOSTILE:
                self._asked_of_strangers = True
                draw = random.Random(f"{self._seed} {number}")
                self._stranger.send(action.target, hostile.parcels(action.target, draw, number))
            case Verb.KILL | Verb.TERM | Verb.STOP:
                self._signal(action)
            case Verb.RESET | Verb.CUT | Verb.SLOW:
                self._disturb(action)
            case Verb.FILL:
                self._pipeline.disks[action.target].fill()
            case Verb.STEP:
                set_clock(self._pipeline.clock(action.target), int(action.amount * _NS))

    def _signal(self, action: Action) -> None:
        if action.target == WORKER:
            self._kill_workers(action)
        elif action.verb is Verb.KILL:
            self._supervisor.kill(action.target)
        elif action.verb is Verb.TERM:
            self._supervisor.term(action.target)
        else:
            self._supervisor.freeze(action.target)

    def _disturb(self, action: Action) -> None:
        line = self._pipeline.lines[action.target]
        if action.verb is Verb.RESET:
            line.reset()
        elif action.verb is Verb.CUT:
            line.silence()
        else:
            line.rate = action.amount

    def _end(self, action: Action) -> None:
        """What takes time is over."""
        match action.verb:
            case Verb.STOP:
                self._supervisor.thaw(action.target)
            case Verb.CUT:
                self._pipeline.lines[action.target].heal()
                # One end may not have heard yet that the other has given up.
                self._pipeline.lines[action.target].reset()
            case Verb.SLOW:
                self._pipeline.lines[action.target].rate = 0.0
            case Verb.FILL:
                self._pipeline.disks[action.target].free()
            case Verb.STEP:
                set_clock(self._pipeline.clock(action.target), 0)

    def _kill_workers(self, action: Action) -> None:
        found = self._supervisor.kill_workers(part_of(action.target), action.amount)
        self._say(f"killed {found} workers")

    def _look(self) -> None:
        self._supervisor.look()
        self._stranger.poll()
        time.sleep(LOOK)

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _say(self, line: str) -> None:
        self._report(f"{self._now():7.1f} s  {line}")

    def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for it; after long enough, note that it did not come, and go on to judge."""
        end = time.monotonic() + DRAIN
        while not condition():
            if time.monotonic() > end:
                self._noted.append(f"after {DRAIN:.0f} s {otherwise}")
                self._say(self._noted[-1])
                return
            self._look()

    def _outboxes_are_empty(self) -> bool:
        return all(
            self._pipeline.number(agent, "isotherm_agent_outbox_readings") == 0 for agent in AGENTS
        )

    def _is_quiet(self) -> Callable[[], bool]:
        size, since = -1, time.monotonic()

        def looked() -> bool:
            nonlocal size, since
            now = time.monotonic()
            found = topic_size(self._pipeline.kafka, KAFKA_READINGS) + topic_size(
                self._pipeline.kafka, KAFKA_READINGS + DEAD_LETTER_SUFFIX
            )
            busy = self._pipeline.number(BRIDGE, "isotherm_bridge_messages_in_flight") != 0
            ready = self._pipeline.number(BRIDGE, "isotherm_bridge_ready") == 1
            if found != size or busy or not ready:
                size, since = found, now
            return now - since > QUIET

        return looked

    def _shows(self, total: int) -> bool:
        shown = self._pipeline.shown()
        return shown is not None and _counted(shown) == total

    def _note_ends(self) -> None:
        self._noted += unexplained_ends(self._supervisor.ends)
        for log in self._pipeline.logs():
            # Spark writes one for each of its workers that was killed.
            if log.stem != JOB and b"Traceback (most recent call last)" in log.read_bytes():
                self._noted.append(f"a traceback in {log.name}")


def unexplained_ends(ends: Iterable[End]) -> list[str]:
    """Those that no fault explains: a usage error, and a part that ended though it needs nobody."""
    return [
        f"{end.part} ended with {end.fate}: {end.words}"
        for end in ends
        if end.code == EXIT_USAGE or (not end.asked and end.part in (*AGENTS, PAGE))
    ]


def _counted(shown: dict[str, Any]) -> int:
    scope = shown["scopes"].get("since_start", {})
    rejected: dict[str, int] = shown.get("rejected_since_start") or {}
    return int(scope.get("total_messages", 0)) + sum(rejected.values())


def _total(judged: list[Reading | Gap | Rejection]) -> int:
    """What a page shows that has counted all: readings, each once, and rejected records."""
    names, others = set(), 0
    for found in judged:
        if isinstance(found, Rejection) or found.origin is None:
            others += 1
        elif isinstance(found, Reading):
            names.add((found.guid, found.origin.epoch, found.origin.seq))
    return len(names) + others


def dump(records: Collection[Kept], path: Path) -> None:
    """Write records as JSON lines; bytes in base64."""
    with path.open("w", encoding="utf-8") as stream:
        for record in records:
            wire = {
                "partition": record.partition,
                "key": _text(record.key),
                "value": _text(record.value),
                "headers": {name: _text(value) for name, value in record.headers.items()},
            }
            stream.write(json.dumps(wire) + "\n")


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
