from __future__ import annotations

import pytest

from bridge.errors import SinkUnavailableError
from bridge.frames import Frame
from bridge.positions import MOST, POSITION_BYTES, Positions, position, position_partition


def frame(mid: int, payload: bytes = b"x", topic: bytes = b"t") -> Frame:
    return Frame(topic, payload, mid, duplicate=True, retained=False)


def test_a_position_names_the_packet_identifier_the_topic_and_the_payload() -> None:
    frames = [frame(1), frame(2), frame(1, b"y"), frame(1, b"x", b"u"), frame(1, b"\0x", b"t")]
    found = [position(each) for each in frames]
    assert len(set(found)) == len(frames)
    assert {len(each) for each in found} == {POSITION_BYTES}
    assert position(frame(1)) == position(frame(1)._replace(duplicate=False, retained=True))


def test_only_an_earlier_connection_counts() -> None:
    positions = Positions()
    positions.add(b"a" * 8, 2)
    assert not positions.delivered(b"a" * 8, 2)
    assert positions.delivered(b"a" * 8, 3)
    assert not positions.delivered(b"b" * 8, 3)


def test_an_earlier_life_is_earlier_than_every_connection() -> None:
    positions = Positions()
    positions.load(b"a" * 8 + b"b" * 8)
    assert positions.delivered(b"a" * 8, 1)
    assert positions.delivered(b"b" * 8, 1)


def test_the_largest_window_that_mqtt_allows_is_remembered_and_no_more_than_twice_that() -> None:
    positions = Positions()
    marks = [n.to_bytes(8, "big") for n in range(3 * MOST)]
    for mark in marks:
        positions.add(mark, 1)
    assert all(positions.delivered(mark, 2) for mark in marks[-MOST:])
    assert sum(positions.delivered(mark, 2) for mark in marks) <= 2 * MOST


def test_what_is_delivered_again_counts_under_its_newest_connection() -> None:
    positions = Positions()
    positions.add(b"a" * 8, 1)
    for n in range(MOST):
        positions.add(n.to_bytes(8, "big"), 1)
    positions.add(b"a" * 8, 2)
    assert not positions.delivered(b"a" * 8, 2)
    assert positions.delivered(b"a" * 8, 3)


def test_a_topic_that_kafka_just_makes_or_deletes_is_waited_for() -> None:
    with pytest.raises(SinkUnavailableError, match="no partitions yet"):
        position_partition("b", 0)
