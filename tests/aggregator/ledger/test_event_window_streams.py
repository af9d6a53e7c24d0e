"""Event windows over drawn streams: out of order, late, ahead, doubles, gaps, moves, replays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.analytics.scopes import Sliding
from aggregator.ledger.ledger import Ledger
from tests.aggregator.support.event_oracle import MEMORY, Pair, at
from tests.aggregator.support.records import gap, reading

Drawn = tuple[str, str, int | None, int, bool]
Batches = list[tuple[int, int, list[list[Drawn]]]]
RECORD = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(("CA", "CA", "CA", "NV")),
    st.one_of(st.none(), st.integers(1, 12)),
    st.integers(-8_000_000, 9_000_000),
    st.booleans(),
)
"""guid, state, seq, microseconds beside the batch's time, whether it is a gap."""
BATCH = st.tuples(
    st.integers(0, 6), st.integers(1, 2), st.lists(st.lists(RECORD, max_size=6), max_size=3)
)
"""Seconds since the batch before, how often it comes, partitions."""


def record(now: float, drawn: Drawn) -> bytes:
    guid, state, seq, beside, lost = drawn
    if lost and seq is not None and guid == "a":
        return gap(guid, first=seq, last=seq, count=1, seq=seq + 1)
    return reading(guid, state, beside / 1e5, seq=seq, event_time=at(now) + beside * 1000)


def check(span: int, batches: Batches) -> None:
    sliding = Sliding(span=span, delay=2.5, future=5.0)
    now = 0.0
    with Ledger(MEMORY, sliding) as ledger:
        pair = Pair(ledger, sliding)
        for later, times, partitions in batches:
            now += later
            batch = [[record(now, drawn) for drawn in part] for part in partitions]
            pair.partitions(batch, now=now, times=times)


STREAM = st.lists(BATCH, min_size=3, max_size=8)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.integers(1, 12), STREAM)
def test_any_stream_comes_to_what_a_plain_count_makes_of_it(span: int, batches: Batches) -> None:
    check(span, batches)


@pytest.mark.faults
@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), STREAM)
def test_many_streams_come_to_what_a_plain_count_makes_of_them(span: int, batches: Batches) -> None:
    check(span, batches)
