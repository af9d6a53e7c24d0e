from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bridge.availability import Availability
from bridge.client import Arrivals
from bridge.errors import SinkClosingError, SinkUnavailableError
from bridge.frames import Frame
from bridge.positions import Positions
from bridge.pump import Pump
from bridge.records import Batch
from bridge.sink import MemorySink
from bridge.stats import Stats
from contract.backoff import Backoff
from contract.log import Log
from tests.bridge.readings import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_479_302_799_447_974_000


@dataclass
class Broker:
    """Notes PUBACKs; `connection` is the one that lives."""

    sink: MemorySink
    connection: int = 1
    acknowledged: list[int] = field(default_factory=list)
    delivered_before: list[int] = field(default_factory=list)

    def acknowledge(self, connection: int, mids: Sequence[int], /) -> bool:
        if connection != self.connection:
            return False
        self.acknowledged += mids
        self.delivered_before.append(len(self.sink.readings) + len(self.sink.dead_letters))
        return True


def make(
    sink: MemorySink, *, at_least_once: bool = False, stopping: threading.Event | None = None
) -> tuple[Pump, Broker, Stats]:
    broker = Broker(sink)
    stats = Stats()
    log = Log("test")
    pump = Pump(
        sink=sink,
        acknowledge=broker.acknowledge,
        kafka=Availability("kafka", log),
        backoff=Backoff(first=0.001, longest=0.002, draw=random.Random(0)),
        now=lambda: NOW,
        stats=stats,
        log=log,
        positions=None if at_least_once else Positions(),
        on_open=lambda: None,
        stopping=stopping or threading.Event(),
    )
    return pump, broker, stats


def move(pump: Pump, arrivals: list[Arrivals]) -> None:
    """As the pump's thread would, once the network thread has handed all this over."""
    for some in arrivals:
        pump.arrived(some)
    pump.move(pump.take())


def frame(mid: int, payload: bytes | None = None, *, duplicate: bool = False) -> Frame:
    body = reading("a", mid or 1) if payload is None else payload
    return Frame(b"isotherm/v1/readings/07/pi", body, mid, duplicate, retained=False)


def test_acknowledgements_follow_the_sink_in_arrival_order() -> None:
    pump, broker, stats = make(MemorySink())
    move(pump, [Arrivals(1, [frame(9), frame(3)]), Arrivals(1, [frame(5)])])
    assert broker.acknowledged == [9, 3, 5]
    assert broker.delivered_before == [3, 3]
    assert (stats.settled, stats.delivered, stats.acknowledged) == (3, 3, 3)


def test_a_broker_that_sends_more_than_receive_maximum_makes_more_batches_not_larger_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.waiting.MAX_BATCH_MESSAGES", 50)
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


def test_qos_0_has_its_bound_and_what_is_above_it_is_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "isotherm.test")
    monkeypatch.setattr("bridge.waiting.MAX_UNBOUNDED_BYTES", 300)
    sink = MemorySink()
    pump, broker, stats = make(sink)
    for _ in range(5):
        pump.arrived(Arrivals(1, [frame(0)]))
    pump.arrived(Arrivals(1, [frame(1), frame(0), frame(2)]))
    kept = 300 // len(reading("a", 1)) + 1
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
