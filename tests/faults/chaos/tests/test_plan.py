"""The plan of a chaos run: one number decides it."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.faults.chaos.hostile import KINDS
from tests.faults.chaos.plan import DISKS, TARGETS, Verb, kinds, part_of, plan

SEEDS = range(40)


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan(7, 5, hostile=KINDS) == plan(7, 5, hostile=KINDS)
    assert plan(7, 5, hostile=KINDS) != plan(8, 5, hostile=KINDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_comes_within_two_minutes(seed: int) -> None:
    assert {action.kind for action in plan(seed, 2, hostile=KINDS)} == set(kinds(KINDS))
    early = [action for action in plan(seed, 30, hostile=KINDS) if action.at <= 120]
    assert {action.kind for action in early} == set(kinds(KINDS))


def test_in_half_an_hour_everything_happens_to_everything() -> None:
    happened = defaultdict(set)
    for action in plan(1, 30, hostile=KINDS):
        happened[action.verb].add(action.target)
    assert happened == {
        **{verb: set(targets) for verb, targets in TARGETS.items()},
        Verb.HOSTILE: set(KINDS),
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_all_is_over_at_the_end_and_in_order(seed: int) -> None:
    actions = plan(seed, 2, hostile=KINDS)
    assert all(action.at + action.seconds <= 120 for action in actions)
    assert [action.at for action in actions] == sorted(action.at for action in actions)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_part_is_never_in_two_faults_at_once(seed: int) -> None:
    ends: dict[str, float] = {}
    for action in plan(seed, 5, hostile=KINDS):
        if action.verb is not Verb.HOSTILE:
            part = part_of(action.target)
            assert ends.get(part, 0.0) <= action.at, action
            ends[part] = action.at + action.seconds


def test_what_is_left_out_does_not_come() -> None:
    actions = plan(1, 10, hostile=KINDS, without=("kill", "bombs"), unable=DISKS)
    assert not {"kill", "bombs", "fill"} & {action.kind for action in actions}


def test_a_kind_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="no kind kils; there are kill, "):
        plan(1, 2, hostile=KINDS, without=("kils",))


def test_a_short_run_has_what_fits() -> None:
    assert plan(1, 0.2, hostile=KINDS)
    assert plan(1, 0, hostile=KINDS) == []
