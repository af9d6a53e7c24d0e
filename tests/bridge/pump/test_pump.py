from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from bridge.kafka.errors import BatchTooSlowError, SinkClosingError, SinkUnavailableError
from bridge.kafka.positions import POSITION_BYTES
from bridge.kafka.sink import MemorySink
from bridge.mqtt.backpressure import Backpressure
from bridge.mqtt.client import Arrivals
from bridge.pump.pump import Bounds
from bridge.records import Batch, Record
from tests.bridge.pump.pump_bench import frame, make, move
from tests.bridge.readings import reading
from tests.support import await_true


def test_acknowledgements_follow_the_sink_in_arrival_order() -> None:
    pump, broker, stats = make(MemorySink())
    move(pump, [Arrivals(1, [frame(9), frame(3)]), Arrivals(1, [frame(5)])])
    assert broker.acknowledged == [9, 3, 5]
    assert broker.delivered_before == [3, 3]
    assert (stats.settled, stats.delivered, stats.acknowledged) == (3, 3, 3)


def test_a_broker_that_sends_more_than_receive_maximum_makes_more_batches_not_larger_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.pump.backlog.MAX_BATCH_MESSAGES", 50)
    sizes: list[int] = []

    class MeasuredSink(MemorySink):
        def deliver(self, batch: Batch) -> None:
            sizes.append(len(batch.readings))
            super().deliver(batch)

    pump, broker, _ = make(MeasuredSink())
    for start in range(1, 301, 20):
        pump.arrived(Arrivals(1, [frame(mid) for mid in range(start, start + 20)]))
    pump.start()
    assert pump.drain(60)
    assert broker.acknowledged == list(range(1, 301))
    assert sizes == [60] * 5


def test_qos_0_is_delivered_and_needs_no_acknowledgement() -> None:
    pump, broker, stats = make(MemorySink())
    move(pump, [Arrivals(1, [frame(0), frame(4)])])
    assert broker.acknowledged == [4]
    assert stats.delivered == 2


def test_what_came_over_an_earlier_connection_is_delivered_but_never_acknowledged() -> None:
    sink = MemorySink()
    pump, broker, stats = make(sink)
    broker.connection = 2
    move(pump, [Arrivals(1, [frame(7)]), Arrivals(2, [frame(7), frame(8)])])
    assert broker.acknowledged == [7, 8]
    assert len(sink.readings) == 3
    assert stats.stale == 1


def test_a_bad_message_becomes_a_dead_letter_before_it_is_acknowledged() -> None:
    sink = MemorySink()
    pump, broker, stats = make(sink)
    move(pump, [Arrivals(1, [frame(1), frame(2, b"hello"), frame(3)])])
    assert [record.value for record in sink.dead_letters] == [b"hello"]
    assert len(sink.readings) == 2
    assert broker.acknowledged == [1, 2, 3]
    assert broker.delivered_before == [3]
    assert stats.rejected == {"not_json": 1}


def test_a_letter_that_the_topic_finds_too_large_goes_in_halves() -> None:
    sink = MemorySink(largest_letter=50_000)
    pump, broker, stats = make(sink)
    large = b"x" * 1_000_000
    move(pump, [Arrivals(1, [frame(1), frame(2, large), frame(3, b"hello"), frame(4)])])
    move(pump, [Arrivals(1, [frame(5, large)])])
    assert broker.acknowledged == [1, 2, 3, 4, 5]
    assert stats.rejected == {"too_large": 2, "not_json": 1}
    by_key: dict[bytes, list[Record]] = {}
    for record in sink.dead_letters:
        by_key.setdefault(record.key, []).append(record)
    values = [b"".join(part.value for part in parts) for parts in by_key.values()]
    assert values == [large * 2, b"hello"]
    for parts in by_key.values():
        numbers = [int(dict(part.headers)["part"]) for part in parts]
        assert {int(dict(part.headers)["parts"]) for part in parts} == {max(numbers)}
    # What was taken is remembered.
    assert sink.refused_letters == 5


def test_below_the_least_part_a_letter_waits_with_the_setting_that_mends_it() -> None:
    sink = MemorySink(largest_letter=1_000)
    pump, broker, _stats = make(sink)
    said: list[str] = []
    kafka = pump._kafka  # noqa: SLF001 what it is told

    def lost(why: str, *, refused: bool = False) -> None:
        said.append(why)
        sink.largest_letter = 4_000 if refused else 0

    kafka.lost = lost  # type: ignore[method-assign]
    move(pump, [Arrivals(1, [frame(1, b"x" * 10_000)])])
    assert "raise its max.message.bytes" in said[0]
    assert [len(record.value) for record in sink.dead_letters] == [3515, 3515, 2970]
    assert broker.acknowledged == [1]


def test_a_batch_is_delivered_again_until_kafka_takes_it() -> None:
    sink = MemorySink(failures=3)
    pump, broker, _ = make(sink)
    move(pump, [Arrivals(1, [frame(1)])])
    assert broker.acknowledged == [1]
    assert sink.failures == 0


def test_only_what_remains_is_delivered_again() -> None:
    @dataclass(slots=True)
    class Halfway(MemorySink):
        def deliver(self, batch: Batch) -> None:
            if len(batch.readings) == 2:
                self.readings.append(batch.readings[0])
                raise SinkUnavailableError("half", Batch([batch.readings[1]], []))
            MemorySink.deliver(self, batch)

    sink = Halfway()
    pump, broker, _ = make(sink)
    move(pump, [Arrivals(1, [frame(1), frame(2)])])
    assert [record.value for record in sink.readings] == [reading("a", 1), reading("a", 2)]
    assert broker.acknowledged == [1, 2]


def test_a_reading_that_kafka_refuses_becomes_a_dead_letter_and_harms_no_neighbour() -> None:
    sink = MemorySink(refuse_above=400)
    long = reading("x" * 128, 2)[:-1] + b"," + b'"more":"' + b"y" * 200 + b'"}'
    pump, broker, stats = make(sink)
    move(pump, [Arrivals(1, [frame(1), frame(2, reading("b") + b"\n" + long), frame(3)])])
    assert [record.value for record in sink.dead_letters] == [long]
    assert dict(sink.dead_letters[0].headers)["mqtt_topic"] == b"isotherm/v1/readings/07/pi"
    assert len(sink.readings) == 3
    assert broker.acknowledged == [1, 2, 3]
    assert (stats.delivered, stats.rejected) == (3, {"too_large": 1})


def test_stopping_while_kafka_is_away_acknowledges_nothing() -> None:
    stopping = threading.Event()
    stopping.set()
    pump, broker, _ = make(MemorySink(failures=1_000_000), stopping=stopping)
    with pytest.raises(SinkClosingError):
        move(pump, [Arrivals(1, [frame(1)])])
    assert broker.acknowledged == []


def test_drain_delivers_and_acknowledges_all_that_has_arrived() -> None:
    sink = MemorySink(failures=2)
    pump, broker, stats = make(sink)
    for mid in range(1, 101):
        pump.arrived(Arrivals(1, [frame(mid)]))
    pump.start()
    assert pump.drain(timeout=30)
    assert broker.acknowledged == list(range(1, 101))
    assert stats.acknowledged == 100


def test_drain_does_not_wait_for_a_kafka_that_nothing_has_arrived_for() -> None:
    pump, _, _ = make(MemorySink(failures=1_000_000))
    pump.start()
    assert pump.drain(1)


def test_drain_gives_up_on_a_kafka_that_stays_away() -> None:
    pump, broker, _ = make(MemorySink(failures=1_000_000))
    pump.arrived(Arrivals(1, [frame(1)]))
    pump.start()
    assert not pump.drain(timeout=0.05)
    assert broker.acknowledged == []
    assert pump.failure is None


def test_what_waits_at_qos_0_when_the_bridge_ends_is_counted() -> None:
    pump, _, stats = make(MemorySink(failures=1_000_000))
    pump.arrived(Arrivals(1, [frame(0), frame(1), frame(0)]))
    pump.start()
    assert not pump.drain(timeout=0.05)
    assert (stats.received, stats.dropped) == (3, 2)


def test_reading_stops_at_the_bound_and_goes_on_when_kafka_has_taken_what_waits() -> None:
    backpressure = Backpressure()
    pump, broker, stats = make(MemorySink(), backpressure=backpressure, bounds=Bounds(3000, 10))
    pump.arrived(Arrivals(1, [frame(1)]))
    assert backpressure.room.is_set()
    pump.arrived(Arrivals(1, [frame(mid) for mid in range(2, 5)]))
    assert not backpressure.room.is_set()
    assert stats.waiting_bytes > 3000
    loads = pump.take()
    # What is being delivered is in memory still.
    assert not backpressure.room.is_set()
    pump.move(loads)
    pump.start()
    await_true(backpressure.room.is_set, "room")
    assert broker.acknowledged == [1, 2, 3, 4]
    assert pump.drain(10)
    assert stats.waiting_bytes == 0


def test_a_message_of_too_many_lines_is_one_letter() -> None:
    sink = MemorySink()
    pump, _, stats = make(sink, bounds=Bounds(1_000_000, 10))
    few, many = b"\n".join([b"{}"] * 10), b"\n".join([b"{}"] * 11)
    move(pump, [Arrivals(1, [frame(1, few), frame(2, many), frame(3)])])
    assert [letter.value for letter in sink.dead_letters] == [*[b"{}"] * 10, many]
    assert dict(sink.dead_letters[-1].headers)["detail"] == (
        b"a message of 11 lines, above bridge.max_lines = 10"
    )
    assert (stats.delivered, stats.rejected["too_large"]) == (1, 1)


def test_a_batch_that_is_too_slow_goes_in_parts_in_order() -> None:
    sink = MemorySink(too_slow_above=7)
    pump, broker, stats = make(sink)
    pump.arrived(Arrivals(1, [frame(mid) for mid in range(1, 101)]))
    pump.start()
    assert pump.drain(10)
    assert [record.value for record in sink.readings] == [reading("a", n) for n in range(1, 101)]
    assert broker.acknowledged == list(range(1, 101))
    # An acknowledgement never goes before its message.
    done = zip(broker.delivered_before, broker.upto, strict=True)
    assert all(delivered >= acknowledged for delivered, acknowledged in done)
    assert (stats.delivered, stats.acknowledged, stats.in_flight) == (100, 100, 0)
    # Halved until 7 went through, and then no more.
    assert stats.kafka_errors < 20
    assert len(set(broker.delivered_before)) < 30


def test_qos_0_has_its_bound_and_what_is_above_it_is_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "isotherm.test")
    monkeypatch.setattr("bridge.pump.backlog.MAX_UNBOUNDED_BYTES", 300)
    sink = MemorySink()
    pump, broker, stats = make(sink)
    for _ in range(5):
        pump.arrived(Arrivals(1, [frame(0)]))
    pump.arrived(Arrivals(1, [frame(1), frame(0), frame(2)]))
    # The bound counts what a message takes in memory, so one is above it.
    kept = 1
    assert (stats.received, stats.dropped, stats.in_flight) == (8, 6 - kept, kept + 2)
    move(pump, [])
    assert broker.acknowledged == [1, 2]
    assert (stats.delivered, stats.in_flight) == (kept + 2, 0)
    move(pump, [Arrivals(1, [frame(0)])])
    assert (stats.delivered, stats.dropped) == (kept + 3, 6 - kept)
    assert [record.getMessage() for record in caplog.records] == [
        "mqtt qos 0 overflow",
        "kafka connected",
        "mqtt qos 0 taken again",
    ]
    assert vars(caplog.records[2])["facts"] == {"dropped": 6 - kept}


def test_positions_that_take_too_long_together_are_noted_in_parts() -> None:
    class SlowSink(MemorySink):
        def deliver(self, batch: Batch) -> None:
            if len(batch.positions) > 3 * POSITION_BYTES:
                raise BatchTooSlowError("too many positions")
            super().deliver(batch)

    pump, _, _ = make(sink := SlowSink())
    known = [mid.to_bytes(POSITION_BYTES, "big") for mid in range(1, 11)]
    pump.know(known)
    assert sink.positions == b"".join(known)
