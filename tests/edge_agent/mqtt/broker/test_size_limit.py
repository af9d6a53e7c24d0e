"""How large a packet may be, learned from a broker that does not say so."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from edge_agent.mqtt.broker.size_limit import FIRST, LONGEST_PAUSE, MOST, SizeLimit
from isotherm.backoff import Backoff


class _Rig:
    """A limit, and a broker that takes packets of so many bytes.

    Args:
        takes: the largest packet that it takes.
        hangs_up: whether it ends the connection at a larger one, instead of saying so.
    """

    def __init__(self, takes: int, *, hangs_up: bool = False) -> None:
        self.now = 0.0
        self.takes = takes
        self.hangs_up = hangs_up
        self.refusals = 0
        backoff = Backoff(first=60.0, longest=LONGEST_PAUSE, draw=random.Random(1))
        self.limit = SizeLimit(lambda: self.now, backoff)
        self.limit.connected(None)

    def send(self, packets: int = 1) -> None:
        """Send packets as large as they may be."""
        for _ in range(packets):
            size = self.limit.bytes
            if size <= self.takes:
                self.limit.took(size)
                continue
            self.refusals += 1
            if self.hangs_up:
                self.limit.lost([size], blamed=False)
                self.limit.connected(None)
            else:
                self.limit.refuse(size)


def test_packets_grow_while_they_are_taken() -> None:
    rig = _Rig(1 << 30)
    assert rig.limit.bytes == FIRST
    rig.send(10)
    assert (rig.limit.bytes, rig.refusals) == (MOST, 0)


@pytest.mark.parametrize("hangs_up", (False, True))
@pytest.mark.parametrize("takes", (100, 1_000, 10_000, 32_768, 65_000))
def test_a_limit_that_nobody_announced_is_found_soon_and_kept(
    takes: int, *, hangs_up: bool
) -> None:
    rig = _Rig(takes, hangs_up=hangs_up)
    rig.send(12)
    assert takes // 2 < rig.limit.bytes <= takes
    assert rig.refusals <= 8
    before = rig.refusals
    rig.send(1_000)
    assert rig.refusals == before


def test_what_was_refused_is_tried_again_ever_more_slowly() -> None:
    rig = _Rig(10_000)
    rig.send(10)
    tried: list[float] = []
    while rig.now < 7 * 86_400:
        before = rig.refusals
        rig.send()
        if rig.refusals > before:
            tried.append(rig.now)
        rig.now += 10.0
    assert tried[0] >= 60.0
    assert 3 < len(tried) < 40
    assert max(after - before for before, after in pairwise(tried)) > 6 * 3600


def test_a_broker_that_takes_more_than_before_is_found_out() -> None:
    rig = _Rig(10_000)
    rig.send(10)
    rig.takes = 1 << 30
    for _ in range(1000):
        rig.now += 60.0
        rig.send()
    assert rig.limit.bytes == MOST


@pytest.mark.parametrize("hangs_up", (False, True))
def test_a_broker_that_takes_less_than_before_is_found_out(*, hangs_up: bool) -> None:
    rig = _Rig(1 << 30, hangs_up=hangs_up)
    rig.send(10)
    rig.takes = 3_000
    rig.send(12)
    assert rig.limit.bytes <= 3_000


def test_a_line_that_breaks_on_packets_that_were_taken_before_lowers_nothing() -> None:
    rig = _Rig(1 << 30)
    rig.send(10)
    for _ in range(50):
        assert not rig.limit.lost([60_000, 300], blamed=False)
        rig.limit.connected(None)
        rig.limit.took(300)
    assert rig.limit.bytes == MOST


def test_a_line_without_any_progress_recovers_with_the_first() -> None:
    rig = _Rig(1 << 30)
    for _ in range(30):
        rig.limit.lost([300], blamed=False)
        rig.limit.connected(None)
    rig.now = 100_000.0
    rig.send(20)
    assert rig.limit.bytes == MOST


def test_what_cannot_be_parted_is_sent_unless_something_is_known_against_it() -> None:
    rig = _Rig(1 << 30)
    assert rig.limit.takes(50_000)
    rig.limit.refuse(40_000)
    assert not rig.limit.takes(50_000)
    assert rig.limit.takes(39_999)
    rig.limit.connected(1_500)
    assert not rig.limit.takes(1_501)
    assert rig.limit.bytes == 1_500
