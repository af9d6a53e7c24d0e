from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.kafka.limits import USUAL_S, RequestSize, TransactionTime
from bridge.kafka.position_topic import Last, in_order, newest
from bridge.kafka.positions import POSITION_BYTES


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_batch_that_can_be_made_smaller_gets_no_more_time() -> None:
    time = TransactionTime(Clock())
    for size in (1000, 500, 250, 125):
        assert not time.too_late(size)
    assert time.seconds == USUAL_S


def test_one_message_that_needs_longer_gets_longer_and_the_next_the_usual_time() -> None:
    clock = Clock()
    time = TransactionTime(clock)
    assert not time.too_late(1000)
    assert time.too_late(1000)
    assert time.too_late(1000)
    assert time.seconds == 4 * USUAL_S
    time.begin()
    clock.now += 30
    assert not time.ran_out
    # It went through, but took longer than the usual time allows.
    assert not time.in_time()
    time.begin()
    clock.now += 1
    assert time.in_time()
    assert time.seconds == USUAL_S


def test_a_transaction_never_asks_for_more_than_kafka_gives() -> None:
    time = TransactionTime(Clock())
    for _ in range(40):
        time.too_late(1000)
    assert time.seconds == 900
    time.refused()
    assert time.seconds == 450
    assert not time.too_late(1000)
    while time.seconds > 1:
        time.refused()
    assert time.milliseconds == 1000
    assert not time.in_time()


def test_time_that_ran_out_is_told_from_another_failure() -> None:
    clock = Clock()
    time = TransactionTime(clock)
    time.begin()
    clock.now += 1
    assert not time.ran_out
    clock.now += 9
    assert time.ran_out


@settings(deadline=None)
@given(
    count=st.integers(0, 65_535), halvings=st.integers(0, 12), name=st.text(min_size=1, max_size=50)
)
def test_positions_are_cut_to_what_a_request_may_have(count: int, halvings: int, name: str) -> None:
    size = RequestSize(1_000_000)
    for _ in range(halvings):
        size.refused()
    positions = b"position" * count
    pieces = size.pieces(positions, name, b"")
    assert b"".join(pieces) == positions
    assert pieces
    assert all(len(piece) % POSITION_BYTES == 0 for piece in pieces)
    assert all(len(piece) <= max(size.bytes, POSITION_BYTES) for piece in pieces)
    if halvings == 0:
        # As the version before wrote and reads it.
        assert len(pieces) == 1


def test_in_the_end_every_record_goes_alone() -> None:
    size = RequestSize(262_144)
    tries = 0
    while size.refused():
        tries += 1
    assert (size.bytes, tries) == (1, 9)


def test_what_stands_in_several_partitions_is_in_the_order_of_its_time() -> None:
    found = [
        (300, Last(b"new", b"ccccCCCC")),
        (0, Last(b"", b"")),
        (100, Last(b"old", b"aaaaAAAAbbbbBBBB")),
    ]
    assert in_order(found) == Last(b"new", b"aaaaAAAAbbbbBBBBccccCCCC")
    assert in_order([(0, Last(b"", b""))]).empty


def test_the_header_of_the_session_takes_room_from_the_positions() -> None:
    size = RequestSize(8_000)
    header = b"h" * 2_000
    pieces = size.pieces(b"position" * 4_000, "b", header)
    assert b"".join(pieces) == b"position" * 4_000
    assert max(map(len, pieces)) + len(header) + 256 <= size.bytes
    # One goes with each record, whatever the header leaves.
    assert set(map(len, size.pieces(b"position" * 3, "b", b"h" * 9_000))) == {POSITION_BYTES}


def test_of_several_partitions_the_newest_counts_and_not_the_one_that_is_looked_at_first() -> None:
    old, new, none = (
        (100, Last(b"old", b"aaaaAAAA")),
        (300, Last(b"new", b"bbbbBBBB")),
        (0, Last(b"", b"")),
    )
    whole = Last(b"new", b"aaaaAAAAbbbbBBBB")
    assert newest([old, none, new], own=0) == (whole, True)
    assert newest([old, none, new], own=1) == (whole, True)
    assert newest([old, none, new], own=2) == (whole, False)
    assert newest([none, none], own=1) == (none[1], False)
    # Of two at the same time the one that is written today.
    assert newest([new, (300, Last(b"own", b"ccccCCCC"))], own=0)[0].life == b"new"
