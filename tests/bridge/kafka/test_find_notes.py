from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.kafka.find_notes import EVERYWHERE, find_notes
from bridge.kafka.position_topic import LOOK_S, PARTITIONS, position_partition
from bridge.kafka.session_notes import Note
from tests.bridge.kafka.memory_topic import Topic, topic

if TYPE_CHECKING:
    from bridge.kafka.position_topic import Take

NOTE = Note("b", sharded=True, filters=frozenset({"isotherm/v1/readings/00/#"}), expiry=600)


def neighbour(name: str) -> str:
    """Another client id in the same partition."""
    return next(
        other
        for other in map("neighbour-{}".format, range(1000))
        if position_partition(other, PARTITIONS) == position_partition(name, PARTITIONS)
    )


def far_back(records: int) -> Topic:
    """A note of b-00, and this many records of another bridge behind it."""
    given = topic(PARTITIONS)
    given.write("b-00", b"", session=NOTE.header())
    other = neighbour("b-00")
    for _ in range(records):
        given.write(other, b"position")
    return given


@pytest.mark.parametrize("records", (0, EVERYWHERE - 1, EVERYWHERE, 10 * EVERYWHERE))
def test_a_note_is_found_however_much_others_wrote_since(records: int) -> None:
    given = far_back(records)
    found = find_notes(given, ["b-00", "b-04"], PARTITIONS)
    assert found.known["b-00"].note == NOTE
    assert set(found.known) == {"b-00"}
    assert not found.unread


def test_what_was_not_reached_in_time_is_said() -> None:
    given = far_back(10 * EVERYWHERE)
    given.takes_s = LOOK_S + 1
    found = find_notes(given, ["b-00", "b-04"], PARTITIONS, lambda: given.clock)
    assert not found.known
    assert found.unread >= {"b-00"}


def late(given: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the time be over when the first 1,500 records of a busy partition are read."""

    def read(partition: int, start: int, end: int, take: Take) -> None:
        for count, record in enumerate(given.partitions[partition][start:end]):
            given.clock = LOOK_S + 1 if count > 1500 else 0.0
            take(*record)

    monkeypatch.setattr(given, "read", read)


def test_a_note_is_not_believed_where_what_is_behind_it_was_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = far_back(3000)
    given.write("b-00", b"", session=NOTE._replace(ended=True).header())
    late(given, monkeypatch)
    found = find_notes(given, ["b-00"], PARTITIONS, lambda: given.clock)
    assert not found.known
    assert found.unread == {"b-00"}


def test_what_may_be_in_a_partition_that_was_not_read_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = far_back(3000)
    late(given, monkeypatch)
    elsewhere = next(
        name
        for name in map("c-{}".format, range(1000))
        if position_partition(name, PARTITIONS) < position_partition("b-00", PARTITIONS)
    )
    found = find_notes(given, [elsewhere], PARTITIONS, lambda: given.clock)
    assert found.unread == {elsewhere}


def test_the_newest_note_counts() -> None:
    given = far_back(10)
    given.write("b-00", b"", session=NOTE._replace(ended=True).header())
    found = find_notes(given, ["b-00"], PARTITIONS)
    assert found.known["b-00"].note == NOTE._replace(ended=True)


def test_a_note_in_another_partition_is_found_among_the_last() -> None:
    name = next(
        name
        for name in map("b-{}".format, range(1000))
        if position_partition(name, 8) != position_partition(name, PARTITIONS)
    )
    given = topic(8)
    given.write(name, b"", session=NOTE.header())
    given.grow(PARTITIONS)
    assert find_notes(given, [name], PARTITIONS).known[name].note == NOTE
