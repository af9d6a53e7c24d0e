"""When a trouble becomes an alert, and when it is over: hysteresis and hold times, without a clock.

A condition is on from a bad measure to the next one that is well; what lies between leaves it as it
is. It must be on for its rule's hold to fire, and off for its rule's calm to be over. So an alert
cannot flap: neither at a threshold nor over a single odd snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dashboard.alerts.rules import Rule


class Verdict(Enum):
    """What a measure says of a condition."""

    BAD = auto()
    BETWEEN = auto()
    WELL = auto()


class Key(NamedTuple):
    """Which alert.

    Attributes:
        name: the rule's.
        place: the state's two letters, or ``fleet``.
    """

    name: str
    place: str


class Measure(NamedTuple):
    """What was found of one condition.

    Attributes:
        key: which.
        value: in the rule's unit.
        verdict: what that means.
    """

    key: Key
    value: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How one condition stands.

    Attributes:
        on: whether the trouble is there.
        changed: since when it is, or is not, nanoseconds since 1970.
        value: of the last measure.
        since: when the trouble began whose alert is firing; None while none is.
    """

    on: bool
    changed: int
    value: float
    since: int | None = None


class Transition(NamedTuple):
    """An alert that began or ended.

    Attributes:
        key: which.
        firing: whether it began.
        at: when, nanoseconds since 1970.
    """

    key: Key
    firing: bool
    at: int


Book = dict[Key, Condition]
"""All conditions that are on, or whose alert is firing."""


def advance(
    book: Mapping[Key, Condition], measures: Iterable[Measure], at: int, rules: Mapping[str, Rule]
) -> tuple[Book, list[Transition]]:
    """Take in what was found at one moment.

    What was not measured stays as it is: a state of which nothing comes is neither well nor ill.

    Args:
        book: how everything stood.
        measures: at most one of each condition.
        at: nanoseconds since 1970; not before that of the call before.
        rules: by name.

    Returns:
        How everything stands, and which alerts began or ended.
    """
    after = dict(book)
    transitions = []
    for measure in measures:
        key, rule = measure.key, rules[measure.key.name]
        before = book.get(key)
        now = _moved(before, measure, at)
        if now is None:
            continue
        if now.on and now.since is None and at - now.changed >= rule.hold:
            now = replace(now, since=now.changed)
            transitions.append(Transition(key, firing=True, at=at))
        elif not now.on and now.since is not None and at - now.changed >= rule.calm:
            now = replace(now, since=None)
            transitions.append(Transition(key, firing=False, at=at))
        if now.on or now.since is not None:
            after[key] = now
        else:
            after.pop(key, None)
    return after, transitions


def _moved(before: Condition | None, measure: Measure, at: int) -> Condition | None:
    on = measure.verdict is Verdict.BAD
    if measure.verdict is Verdict.BETWEEN:
        on = before is not None and before.on
    if before is None:
        return Condition(on=True, changed=at, value=measure.value) if on else None
    changed = before.changed if on == before.on else at
    return replace(before, on=on, changed=changed, value=measure.value)
