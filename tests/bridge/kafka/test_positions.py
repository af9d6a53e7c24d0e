from __future__ import annotations

import pytest

from bridge.kafka.errors import SinkUnavailableError
from bridge.kafka.position_topic import position_partition
from bridge.kafka.positions import MOST, POSITION_BYTES, Positions, position
from bridge.mqtt.framing import Frame


def frame(mid: int, payload: bytes = b"x", topic: bytes = b"t", *, again: bool = False) -> Frame:
    return Frame(topic, payload, mid, duplicate=again, retained=False)


def admitted(positions: Positions, connection: int, *frames: Frame) -> list[Frame]:
    duplicates = sum(each.duplicate for each in frames)
    return positions.admit(connection, list(frames), [], duplicates=duplicates)


def test_a_position_names_the_packet_identifier_the_topic_and_the_payload() -> None:
    found = [
        position(b"t", b"x", 1),
        position(b"t", b"x", 2),
        position(b"t", b"y", 1),
        position(b"u", b"x", 1),
        position(b"t\0", b"x", 1),
    ]
    assert len(set(found)) == len(found)
    assert {len(each) for each in found} == {POSITION_BYTES}


def test_only_what_an_earlier_connection_brought_is_not_admitted_again() -> None:
    positions = Positions()
    assert admitted(positions, 2, frame(1)) == [frame(1)]
    again = frame(1, again=True)
    assert admitted(positions, 2, again) == [again]
    assert admitted(positions, 3, again, frame(2, again=True)) == [frame(2, again=True)]


def test_without_its_flag_a_message_is_a_new_one() -> None:
    positions = Positions()
    admitted(positions, 1, frame(1))
    assert admitted(positions, 2, frame(1)) == [frame(1)]


def test_at_qos_0_there_is_nothing_to_tell_a_message_by() -> None:
    positions = Positions()
    marks: list[bytes] = []
    both = [frame(0), frame(0, again=True)]
    assert positions.admit(1, both, marks, duplicates=1) == both
    assert admitted(positions, 2, *both) == both
    assert marks == []


def test_the_marks_are_those_of_what_is_admitted_in_order() -> None:
    positions = Positions()
    admitted(positions, 1, frame(7))
    marks: list[bytes] = []
    positions.admit(2, [frame(8), frame(7, again=True), frame(9)], marks, duplicates=1)
    assert marks == [position(b"t", b"x", 8), position(b"t", b"x", 9)]


def test_an_earlier_life_is_earlier_than_every_connection() -> None:
    positions = Positions()
    positions.load(position(b"t", b"x", 1) + position(b"t", b"x", 2))
    assert admitted(positions, 1, frame(1, again=True), frame(2, again=True)) == []


def test_the_largest_window_that_mqtt_allows_is_remembered_and_no_more_than_twice_that() -> None:
    positions = Positions()
    frames = [frame(1, b"%d" % n) for n in range(3 * MOST)]
    for start in range(0, len(frames), 500):
        admitted(positions, 1, *frames[start : start + 500])
    again = [each._replace(duplicate=True) for each in frames]
    assert admitted(positions, 1, *again[-1:]) == again[-1:]
    assert admitted(positions, 2, *again[-MOST:]) == []
    assert len(admitted(positions, 2, *again)) >= MOST


def test_what_is_delivered_again_counts_under_its_newest_connection() -> None:
    positions = Positions()
    admitted(positions, 1, frame(1))
    admitted(positions, 1, *(frame(2, b"%d" % n) for n in range(MOST)))
    admitted(positions, 2, frame(1))
    assert admitted(positions, 2, frame(1, again=True)) == [frame(1, again=True)]
    assert admitted(positions, 3, frame(1, again=True)) == []


def test_a_topic_that_kafka_just_makes_or_deletes_is_waited_for() -> None:
    with pytest.raises(SinkUnavailableError, match="no partitions yet"):
        position_partition("b", 0)
