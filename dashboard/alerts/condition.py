"""When a problem becomes an alert, and when it is over: hysteresis and hold times, without a clock.

A condition is on from a bad measure to the next good one; a value between the two limits changes
nothing. It must be on for its rule's hold to fire, and off for its rule's calm to be over. So an
alert cannot flap: neither at a threshold nor over a single odd snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dashboard.alerts.rules import Rule


class Level(Enum):
    """What a measure means for its condition."""

    BAD = auto()
    BETWEEN = auto()
    GOOD = auto()


class Key(NamedTuple):
    """Which alert.

    Attributes:
        name: the rule's.
        place: the state's two letters, or ``fleet``.
    """

    name: str
    place: str


class Measure(NamedTuple):
    """One value of one condition.

    Attributes:
        key: of its alert.
        value: in the rule's unit.
        level: what the value means.
    """

    key: Key
    value: float
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The state of one condition.

    Attributes:
        on: whether the problem exists.
        changed: when `on` changed last, nanoseconds since 1970.
        value: of the last measure.
        since: when the problem began whose alert is firing; None while none is.
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


Conditions = dict[Key, Condition]
"""All conditions that are on, or whose alert is firing."""


def advance(
    before: Mapping[Key, Condition], measures: Iterable[Measure], at: int, rules: Mapping[str, Rule]
) -> tuple[Conditions, list[Transition]]:
    """Apply the measures of one moment.

    A condition without a measure stays as it is: no readings from a state are neither good nor bad.

    Args:
        before: the conditions until now.
        measures: at most one of each condition.
        at: nanoseconds since 1970; not before that of the call before.
        rules: by name.

    Returns:
        The conditions from now on, and which alerts began or ended.
    """
    after = dict(before)
    transitions = []
    for measure in measures:
        key, rule = measure.key, rules[measure.key.name]
        now = _moved(before.get(key), measure, at)
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
    on = measure.level is Level.BAD
    if measure.level is Level.BETWEEN:
        on = before is not None and before.on
    if before is None:
        return Condition(on=True, changed=at, value=measure.value) if on else None
    changed = before.changed if on == before.on else at
    return replace(before, on=on, changed=changed, value=measure.value)
