from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from isotherm.backoff import Backoff


@given(st.floats(0.001, 10), st.floats(10, 1000), st.integers(), st.integers(1, 3000))
def test_delays_stay_between_the_bounds(
    first: float, longest: float, seed: int, tries: int
) -> None:
    backoff = Backoff(first=first, longest=longest, draw=random.Random(seed))
    for number in range(1, tries + 1):
        delay = backoff.next()
        assert first <= delay <= longest
        assert delay <= max(first, first * 2.0 ** min(number, 64))


def test_delays_grow_to_the_longest() -> None:
    backoff = Backoff(first=1, longest=64, draw=random.Random(7))
    early = [backoff.next() for _ in range(2)]
    late = [backoff.next() for _ in range(200)][10:]
    assert max(early) <= 4
    assert max(late) > 60


def test_reset_begins_again() -> None:
    backoff = Backoff(first=1, longest=1000, draw=random.Random(7))
    for _ in range(20):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 2


def test_two_clients_do_not_come_back_in_step() -> None:
    one, other = Backoff(), Backoff()
    assert [one.next() for _ in range(5)] != [other.next() for _ in range(5)]
