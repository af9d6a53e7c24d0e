"""What happens when, decided by one number. Pure: the same seed gives the same plan."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

AGENTS: Final = ("agent-1", "agent-2", "agent-3", "agent-4")
MOSQUITTO: Final = "mosquitto"
BRIDGE: Final = "bridge"
KAFKA: Final = "kafka"
JOB: Final = "job"
WORKER: Final = "worker"
"""The job's Python workers, which no service manager starts again."""
PAGE: Final = "page"

LINES: Final = (
    *(f"{agent} to mosquitto" for agent in AGENTS),
    "bridge to mosquitto",
    "bridge to kafka",
    "job to kafka",
    "page to kafka",
)
FULL_AGENT: Final = AGENTS[1]
"""Whose outbox has a small disk of its own."""
DISKS: Final = (f"{FULL_AGENT} disk", "kafka disk", "job disk")

CALM: Final = 2.0
"""Seconds at the beginning in which nothing happens."""
DAY: Final = 86_400.0


class Verb(StrEnum):
    """What is done to a part, a line, a disk or a clock."""

    KILL = "kill"
    TERM = "term"
    STOP = "stop"
    RESET = "reset"
    CUT = "cut"
    SLOW = "slow"
    FILL = "fill"
    STEP = "step"
    HOSTILE = "hostile"


TARGETS: Final[dict[Verb, tuple[str, ...]]] = {
    # Not mosquitto: what it had not saved is gone by nature.
    Verb.KILL: (*AGENTS, BRIDGE, KAFKA, JOB, WORKER, PAGE),
    Verb.TERM: (*AGENTS, MOSQUITTO, BRIDGE, KAFKA, JOB, PAGE),
    Verb.STOP: (*AGENTS, MOSQUITTO, BRIDGE, KAFKA, JOB, PAGE),
    Verb.RESET: LINES,
    Verb.CUT: LINES,
    Verb.SLOW: LINES,
    Verb.FILL: DISKS,
    Verb.STEP: AGENTS,
}

_SECONDS: Final[dict[Verb, tuple[float, float]]] = {
    Verb.STOP: (2.0, 12.0),
    Verb.CUT: (2.0, 10.0),
    Verb.SLOW: (4.0, 15.0),
    Verb.FILL: (4.0, 10.0),
    Verb.STEP: (2.0, 8.0),
}
"""How long it lasts; what is not here is over at once."""

_REST: Final[dict[str, float]] = {JOB: 22.0, WORKER: 22.0, KAFKA: 10.0, BRIDGE: 5.0, PAGE: 4.0}
"""Seconds for which a part is left alone afterwards, so that between faults it gets somewhere."""
_USUAL_REST: Final = 3.0
_AFTER_FULL: Final = 35.0
"""An agent looks every 30 s at most whether its disk is back, and a kill before that loses what is
in memory by nature."""

_KINDS_WITHIN: Final = 0.85
"""Of the shorter of the run and two minutes: by then each kind has come once."""
_PROOF: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One fault.

    Attributes:
        at: seconds since the plan began.
        verb: what is done.
        target: to what; for something hostile, its kind.
        seconds: how long it lasts; 0 where it is over at once.
        amount: bytes a second of a slow line, seconds of a clock's step; else a draw from 0 to 1
            for whoever carries it out.
    """

    at: float
    verb: Verb
    target: str
    seconds: float = 0.0
    amount: float = 0.0

    @property
    def kind(self) -> str:
        """What `--without` names: the verb, or the kind of what is hostile."""
        return self.target if self.verb is Verb.HOSTILE else self.verb.value

    def __str__(self) -> str:
        words = [f"{self.at:7.1f} s  {self.verb.value} {self.target}"]
        if self.verb is Verb.SLOW:
            words.append(f"to {self.amount / 1000:.0f} kB/s")
        elif self.verb is Verb.STEP:
            words.append(f"by {self.amount:+.0f} s")
        if self.seconds:
            words.append(f"for {self.seconds:.1f} s")
        return " ".join(words)


def kinds(hostile: Iterable[str], without: Collection[str] = ()) -> list[str]:
    """All kinds of actions, in the order in which people read them.

    Raises:
        ValueError: `without` names one that there is not.
    """
    known = [*TARGETS, *hostile]
    if wrong := set(without) - set(known):
        raise ValueError(f"no kind {', '.join(sorted(wrong))}; there are {', '.join(known)}")
    return [kind for kind in known if kind not in without]


def plan(
    seed: int,
    minutes: float,
    *,
    hostile: Sequence[str],
    without: Collection[str] = (),
    unable: Collection[str] = (),
) -> list[Action]:
    """What happens when.

    Args:
        seed: decides everything.
        minutes: how long; each kind comes within the first two of them.
        hostile: the kinds of hostile messages.
        without: kinds that are left out.
        unable: targets that this machine cannot do it to, such as disks without root.

    Returns:
        Actions in order of time; all are over at the end.

    Raises:
        ValueError: `without` names a kind that there is not.
    """
    draw = random.Random(seed)
    wanted = kinds(hostile, without)
    end = minutes * 60
    faults = _Calendar(draw, end)
    # Each verb once, and then everything that can be done, in any order, again and again.
    first = [verb for verb in TARGETS if verb.value in wanted]
    faults.fill(
        [
            (verb, draw.choice(able))
            for verb in draw.sample(first, len(first))
            if (able := [target for target in TARGETS[verb] if target not in unable])
        ],
        lambda: draw.uniform(2.0, 5.0),
    )
    deck = [(verb, target) for verb in first for target in TARGETS[verb] if target not in unable]
    while deck and faults.fill(draw.sample(deck, len(deck)), lambda: draw.uniform(1.5, 7.0)):
        pass
    strangers = _Calendar(draw, end)
    letters = [(Verb.HOSTILE, kind) for kind in hostile if kind in wanted]
    pace = (min(end, _PROOF) * _KINDS_WITHIN - CALM) / max(1, len(letters))
    strangers.fill(draw.sample(letters, len(letters)), lambda: pace)
    while letters and strangers.fill(
        draw.sample(letters, len(letters)), lambda: draw.uniform(4.0, 14.0)
    ):
        pass
    return sorted((*faults.actions, *strangers.actions), key=lambda action: action.at)


def summary(actions: Iterable[Action]) -> str:
    """How often each kind comes, for people."""
    count = Counter(action.kind for action in actions)
    return ", ".join(f"{kind} {number}" for kind, number in sorted(count.items()))


def part_of(target: str) -> str:
    """The part that a target belongs to: of a line or a disk, the one at its near end."""
    near = target.partition(" ")[0]
    return JOB if near == WORKER else near


class _Calendar:
    """Finds a time for each action at which its part is not busy with another one."""

    def __init__(self, draw: random.Random, end: float) -> None:
        self.actions: list[Action] = []
        self._draw = draw
        self._end = end
        self._now = CALM
        self._busy: dict[str, float] = {}

    def fill(self, wanted: list[tuple[Verb, str]], pause: Callable[[], float]) -> bool:
        """Enter all that still fit, in turn; whether there is room for more."""
        waiting = list(wanted)
        while waiting and self._now < self._end:
            for place, (verb, target) in enumerate(waiting):
                action = self._action(verb, target)
                if self._fits(action):
                    del waiting[place]
                    self._enter(action)
                    self._now += pause()
                    break
            else:
                # All that wait are of parts that are busy.
                self._now += 0.5
        return self._now < self._end

    def _action(self, verb: Verb, target: str) -> Action:
        seconds = round(self._draw.uniform(*_SECONDS.get(verb, (0.0, 0.0))), 1)
        amount = self._draw.random()
        if verb is Verb.SLOW:
            amount = round(10 ** self._draw.uniform(4.3, 5.3))
        elif verb is Verb.STEP:
            amount = self._draw.choice((-1, 1)) * round(10 ** self._draw.uniform(0.5, 5.5))
        return Action(
            at=round(self._now, 1), verb=verb, target=target, seconds=seconds, amount=amount
        )

    def _fits(self, action: Action) -> bool:
        if action.at + action.seconds > self._end:
            return False
        return action.verb is Verb.HOSTILE or self._busy.get(part_of(action.target), 0) <= action.at

    def _enter(self, action: Action) -> None:
        self.actions.append(action)
        if action.verb is Verb.HOSTILE:
            return
        part = part_of(action.target)
        rest = _REST.get(action.target, _USUAL_REST)
        if action.verb is Verb.FILL:
            rest = _AFTER_FULL if part in AGENTS else _REST[part]
        self._busy[part] = action.at + action.seconds + rest
