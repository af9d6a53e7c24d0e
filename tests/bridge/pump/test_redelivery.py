"""What the pump makes of messages that the broker sends again."""

from __future__ import annotations

import pytest

from bridge.kafka.sink import MemorySink
from bridge.mqtt.client import Arrivals
from tests.bridge.pump.pump_bench import frame, make, move
from tests.bridge.readings import reading


def test_the_dup_flag_alone_skips_nothing() -> None:
    for at_least_once in (True, False):
        sink = MemorySink()
        pump, _, stats = make(sink, at_least_once=at_least_once)
        move(pump, [Arrivals(1, [frame(1, duplicate=True)])])
        assert len(sink.readings) == 1
        assert (stats.duplicates, stats.suppressed) == (1, 0)


def test_a_redelivery_of_what_is_delivered_is_acknowledged_and_not_written_again() -> None:
    sink = MemorySink()
    pump, broker, stats = make(sink)
    broker.connection = 2
    move(pump, [Arrivals(1, [frame(1), frame(2), frame(3)])])
    move(pump, [Arrivals(2, [frame(2, duplicate=True), frame(3, duplicate=True), frame(4)])])
    assert [record.value for record in sink.readings] == [reading("a", n) for n in (1, 2, 3, 4)]
    assert broker.acknowledged == [2, 3, 4]
    assert stats.suppressed == 2


def test_frames_of_both_connections_in_one_batch_are_written_once() -> None:
    sink = MemorySink()
    pump, broker, _ = make(sink)
    broker.connection = 2
    move(pump, [Arrivals(1, [frame(1)]), Arrivals(2, [frame(1, duplicate=True)])])
    assert len(sink.readings) == 1
    assert broker.acknowledged == [1]


def test_what_an_earlier_life_delivered_is_not_written_again() -> None:
    sink = MemorySink()
    pump, _, _ = make(sink)
    pump.arrived(Arrivals(1, [frame(1), frame(2, b"hello")]))
    pump.start()
    assert pump.drain(timeout=30)
    pump, broker, stats = make(sink)
    again = [frame(1, duplicate=True), frame(2, b"hello", duplicate=True), frame(3)]
    pump.start()
    assert pump.opened.wait(30)
    pump.arrived(Arrivals(1, again))
    assert pump.drain(timeout=30)
    assert broker.acknowledged == [1, 2, 3]
    assert len(sink.readings) == 2
    assert len(sink.dead_letters) == 1
    assert stats.suppressed == 2


def test_an_equal_message_under_another_packet_identifier_is_another_message() -> None:
    sink = MemorySink()
    pump, broker, _ = make(sink)
    broker.connection = 2
    move(pump, [Arrivals(1, [frame(1, b"hello")])])
    move(pump, [Arrivals(2, [frame(2, b"hello", duplicate=True), frame(1, b"hello")])])
    assert len(sink.dead_letters) == 3


def test_at_least_once_writes_redeliveries_again_of_what_it_no_longer_has() -> None:
    sink = MemorySink()
    pump, broker, _ = make(sink, at_least_once=True)
    broker.connection = 2
    move(pump, [Arrivals(1, [frame(1)])])
    move(pump, [Arrivals(1, [frame(2)])])
    move(pump, [Arrivals(2, [frame(1, duplicate=True), frame(2, duplicate=True)])])
    assert [record.value for record in sink.readings] == [reading("a", n) for n in (1, 2, 1)]
    assert broker.acknowledged == [1, 2]


@pytest.mark.parametrize("at_least_once", (True, False))
def test_a_window_that_comes_again_and_again_while_kafka_is_away_is_written_once(
    *, at_least_once: bool
) -> None:
    sink = MemorySink()
    pump, broker, stats = make(sink, at_least_once=at_least_once)
    broker.connection = 100
    window = [frame(mid) for mid in range(1, 21)]
    pump.arrived(Arrivals(1, window))
    for connection in range(2, 101):
        pump.prove()
        pump.arrived(Arrivals(connection, [each._replace(duplicate=True) for each in window]))
    move(pump, [Arrivals(100, [frame(21)])])
    assert [record.value for record in sink.readings] == [reading("a", n) for n in range(1, 22)]
    assert broker.acknowledged == list(range(1, 22))
    assert (stats.received, stats.settled, stats.in_flight) == (2001, 2001, 0)
    assert (stats.suppressed, stats.duplicates) == (99 * 20, 99 * 20)
    assert (stats.acknowledged, stats.stale) == (21, 99 * 20)
