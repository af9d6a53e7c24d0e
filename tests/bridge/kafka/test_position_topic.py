from __future__ import annotations

import itertools

import pytest

from bridge.kafka.position_topic import (
    LOOK_S,
    PARTITIONS,
    Last,
    OwnRecords,
    position_partition,
)
from bridge.kafka.positions import MOST, POSITION_BYTES
from tests.bridge.kafka.memory_topic import Topic, topic

NAME = next(
    name
    for name in map("bridge-{}".format, range(1000))
    if len({position_partition(name, count) for count in (5, 8, 12, 16)}) == 4
    and position_partition(name, 5) == position_partition(name, 20)
)


def newest(given: Topic, own: OwnRecords | None = None) -> tuple[Last, OwnRecords]:
    own = own or OwnRecords(NAME, lambda: given.clock)
    own.placed(len(given.partitions))
    return own.newest(given), own


@pytest.mark.parametrize("silent", (True, False))
def test_a_topic_that_grows_to_just_16_partitions_hides_nothing(*, silent: bool) -> None:
    given = topic(8)
    given.write(NAME, b"position", silent=silent)
    given.grow(PARTITIONS)
    found, own = newest(given)
    assert found.positions == b"position"
    assert own.elsewhere
    assert own.partition == position_partition(NAME, PARTITIONS)


def test_in_a_running_bridge_it_hides_nothing_either() -> None:
    given = topic(8)
    given.write(NAME, b"position")
    found, own = newest(given)
    assert (found.positions, own.elsewhere) == (b"position", False)
    given.grow(PARTITIONS)
    found, own = newest(given, own)
    assert (found.positions, own.elsewhere) == (b"position", True)


def test_a_client_id_that_comes_back_to_a_partition_finds_what_it_wrote_meanwhile() -> None:
    given = topic(5)
    given.write(NAME, b"the5....")
    given.grow(12)
    given.write(NAME, b"the12...")
    given.grow(20)
    found, own = newest(given)
    assert found.positions == b"the5....the12..."
    assert own.elsewhere


def test_where_it_wrote_last_with_as_many_partitions_no_other_is_read() -> None:
    for partitions in (PARTITIONS, 20):
        given = topic(partitions)
        given.write(NAME, b"position")
        found, own = newest(given)
        assert (found.positions, own.elsewhere) == (b"position", False)
        assert {number for number, _start, _end in given.reads} == {own.partition}


def test_what_the_version_before_wrote_with_16_is_in_its_place() -> None:
    given = topic(PARTITIONS)
    given.write(NAME, b"position", silent=True)
    found, own = newest(given)
    assert (found.positions, own.elsewhere) == (b"position", False)
    assert {number for number, _start, _end in given.reads} == {own.partition}


def test_a_new_client_id_looks_once_and_no_longer_than_the_bound() -> None:
    given = topic(PARTITIONS)
    for _ in range(3000):
        for other in range(40):
            given.write(f"other-{other}", b"position")
    found, own = newest(given)
    assert found.empty
    assert not own.incomplete
    before = len(given.reads)
    newest(given, own)
    assert {number for number, _start, _end in given.reads[before:]} == {own.partition}
    given.takes_s = LOOK_S
    found, own = newest(given)
    assert found.empty
    assert own.incomplete


def test_what_is_far_back_is_read_piece_by_piece_and_no_piece_twice() -> None:
    given = topic(PARTITIONS)
    count = MOST // 3 + 1
    neighbour = next(
        name
        for name in map("neighbour-{}".format, range(1000))
        if position_partition(name, PARTITIONS) == position_partition(NAME, PARTITIONS)
    )
    for number in range(count):
        given.write(NAME, b"".join((3 * number + n).to_bytes(8, "big") for n in range(3)))
        given.write(neighbour, b"another.")
    found, _own = newest(given)
    every = b"".join(n.to_bytes(8, "big") for n in range(3 * count))
    assert found.positions == every[-MOST * POSITION_BYTES :]
    assert found.at == (given.now - 2) / 1000
    pieces = sorted(given.reads)
    assert all(end == start for (_, _, end), (_, start, _) in itertools.pairwise(pieces))


def test_a_count_that_we_did_not_write_is_none() -> None:
    given = topic(PARTITIONS)
    given.write(NAME, b"position")
    where = given.partitions[position_partition(NAME, PARTITIONS)]
    for text in (b"-1", b"9" * 10_000, b"x", None):
        where[0][2]["partitions"] = text
        assert newest(given)[0].partitions == 0
