"""Exactly once, seen from the sinks: lives, fences, and what is left open."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined] # its stub
from kafka.errors import KafkaTimeoutError

from bridge.kafka.errors import FencedError, SinkUnavailableError
from bridge.kafka.factory import make_sink
from bridge.kafka.kafka_python.producer import Failure
from bridge.kafka.librdkafka.producer import RdProducer
from bridge.kafka.limits import TransactionTime
from bridge.kafka.position_topic import position_partition
from bridge.records import Batch, Record
from bridge.settings import PREFIX, BridgeSettings
from isotherm.log import Availability, Log
from isotherm.settings.table import load
from tests.bridge.kafka.sink_bench import CLIENTS, deliver_patiently, settings, sink_of
from tests.bridge.readings import reading
from tests.faults.job.test_dead_letters import limit
from tests.support import await_true, topic_records, unique

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.kafka.position_topic import Last
    from deploy.local import Stack


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_the_next_life_knows_what_the_one_before_delivered(stack: Stack, client: str) -> None:
    topic = unique("lives")
    stack.create_topics(topic, f"{topic}.dead-letter")
    first = sink_of(stack.kafka, topic, client, "exactly-once")
    assert first.open() == b""
    marks = [n.to_bytes(8, "big") for n in range(100)]
    for n in range(0, 100, 10):
        first.deliver(Batch([Record(b"k", reading("k", n + 1))], [], b"".join(marks[n : n + 10])))
    second = sink_of(stack.kafka, topic, client, "exactly-once")
    assert second.open() == b"".join(marks)
    second.close()
    first.close()


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_partitions_that_are_added_to_the_position_topic_hide_nothing(
    stack: Stack, client: str
) -> None:
    topic = unique("grown")
    stack.create_topics(topic, f"{topic}.dead-letter")
    delivered: list[bytes] = []
    for more in (17, 18, 25, 0):
        sink = sink_of(stack.kafka, topic, client, "exactly-once")
        before = sink.open()
        assert {before[at : at + 8] for at in range(0, len(before), 8)} == set(delivered)
        delivered.append(more.to_bytes(8, "big"))
        sink.deliver(Batch([Record(b"k", reading("k", more + 1))], [], delivered[-1]))
        sink.close()
        if more:
            grow(stack, f"{topic}.bridge", more)


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_id_that_comes_back_to_an_earlier_partition_is_told_the_newest(
    stack: Stack, client: str
) -> None:
    topic = next(
        name
        for name in iter(lambda: unique("back"), "")
        if position_partition(name, 18) == position_partition(name, 16)
        and position_partition(name, 17) != position_partition(name, 16)
    )
    stack.create_topics(topic, f"{topic}.dead-letter")
    delivered = b""
    for more in (17, 18, 0):
        sink = sink_of(stack.kafka, topic, client, "exactly-once")
        assert sink.open().endswith(delivered)
        delivered = more.to_bytes(8, "big")
        sink.deliver(Batch([], [], delivered))
        sink.close()
        if more:
            grow(stack, f"{topic}.bridge", more)


def grow(stack: Stack, topic: str, partitions: int) -> None:
    """Have a topic have more partitions."""
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(60)
    await_true(
        lambda: len(admin.list_topics().topics[topic].partitions) == partitions,
        f"{partitions} partitions",
    )


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_a_position_topic_with_a_small_limit_stalls_nothing(stack: Stack, client: str) -> None:
    topic = unique("small")
    stack.create_topics(topic, f"{topic}.dead-letter", f"{topic}.bridge", partitions=3)
    limit(stack, f"{topic}.bridge", 10_000)
    positions = b"".join(n.to_bytes(8, "big") for n in range(20_000))
    sink = sink_of(stack.kafka, topic, client, "exactly-once")
    sink.open()
    deliver_patiently(sink, Batch([Record(b"k", reading("k"))], [], positions))
    sink.close()
    sink = sink_of(stack.kafka, topic, client, "exactly-once")
    assert sink.open() == positions
    sink.close()
    assert len(topic_records(stack.kafka, topic)) == 1


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_other_bridges_and_thousands_of_batches_hide_nothing(stack: Stack, client: str) -> None:
    topic = unique("crowd")
    stack.create_topics(topic, f"{topic}.dead-letter", f"{topic}.bridge")
    mine = sink_of(stack.kafka, topic, client, "exactly-once")
    mine.open()
    mine.deliver(Batch([Record(b"k", reading("k"))], [], b"position"))
    mine.close()
    flags = {"kafka": stack.kafka, "topic": topic, "client_id": unique("other")}
    other = make_sink(
        load(BridgeSettings, PREFIX, flags=flags),
        Availability("kafka", Log("test")),
        threading.Event(),
    )
    other.open()
    for n in range(1200):
        other.deliver(Batch([], [], n.to_bytes(8, "big")))
    other.close()
    mine = sink_of(stack.kafka, topic, client, "exactly-once")
    assert mine.open() == b"position"
    mine.close()


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_an_open_transaction_of_another_bridge_hides_nothing(stack: Stack, client: str) -> None:
    topic = unique("hidden")
    stack.create_topics(topic, f"{topic}.dead-letter", f"{topic}.bridge")
    other = Producer({"bootstrap.servers": stack.kafka, "transactional.id": unique("other")})
    other.init_transactions(60)
    mine = sink_of(stack.kafka, topic, client, "exactly-once")
    mine.open()
    other.begin_transaction()
    other.produce(f"{topic}.bridge", b"", b"other")
    assert other.flush(60) == 0
    mine.deliver(Batch([Record(b"k", reading("k"))], [], b"position"))
    mine.close()
    mine = sink_of(stack.kafka, topic, client, "exactly-once")
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(mine.open)
        with pytest.raises(TimeoutError):
            opened.result(2)
        other.abort_transaction(60)
        assert opened.result(60) == b"position"
    mine.close()


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_of_two_under_one_client_id_the_older_ends(stack: Stack, client: str) -> None:
    topic = unique("fence")
    stack.create_topics(topic, f"{topic}.dead-letter")
    older = sink_of(stack.kafka, topic, client, "exactly-once")
    older.open()
    older.deliver(Batch([Record(b"k", reading("k", 1))], [], b"first..."))
    newer = sink_of(stack.kafka, topic, client, "exactly-once")
    assert newer.open() == b"first..."
    batch = Batch([Record(b"k", reading("k", 2))], [], b"second..")
    with pytest.raises(SinkUnavailableError):
        older.deliver(batch)
    with pytest.raises(FencedError, match="another bridge runs under the client id"):
        older.deliver(batch)
    newer.deliver(batch)
    older.close()
    newer.close()
    values = [kept.value for kept in topic_records(stack.kafka, topic)]
    assert values == [reading("k", 1), reading("k", 2)]


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_the_older_does_not_come_back_over_one_that_took_over_while_it_looked(
    stack: Stack, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = unique("look")
    stack.create_topics(topic, f"{topic}.dead-letter")
    older = sink_of(stack.kafka, topic, client, "exactly-once")
    older.open()
    newer = sink_of(stack.kafka, topic, client, "exactly-once")
    mine, theirs = (Batch([Record(b"k", reading("k", n))], [], b"batch..%d" % n) for n in (1, 2))
    positions = older._positions  # type: ignore[attr-defined] # noqa: SLF001 the moment in question
    look = positions.last

    def look_and_be_overtaken() -> Last:
        seen: Last = look()
        monkeypatch.undo()
        newer.open()
        newer.deliver(theirs)
        return seen

    # As after any error: it begins anew, and looks who wrote last before it does.
    older.close()
    monkeypatch.setattr(positions, "last", look_and_be_overtaken)
    with pytest.raises(FencedError):
        older.deliver(mine)
    deliver_patiently(newer, mine)
    older.close()
    newer.close()
    values = [kept.value for kept in topic_records(stack.kafka, topic)]
    assert values == [reading("k", 2), reading("k", 1)]


@pytest.mark.integration
@pytest.mark.parametrize("waits", (True, False))
def test_a_fence_that_is_met_among_unsent_records_is_no_bug_of_ours(
    stack: Stack, *, waits: bool
) -> None:
    topic = unique("flush")
    stack.create_topics(topic, f"{topic}.dead-letter", partitions=4)
    older = RdProducer(
        settings(stack.kafka, topic, "librdkafka", "exactly-once"),
        Availability("kafka", Log("test")),
        threading.Event(),
        {"transactional.id": topic},
    )
    older.raw.init_transactions(60)
    newer = Producer({"bootstrap.servers": stack.kafka, "transactional.id": topic})
    newer.init_transactions(60)
    older.raw.begin_transaction()
    # The fence comes with the answer to the first request, before most records are sent.
    older.send(Batch([Record(b"%d" % n, reading("k", n + 1)) for n in range(3000)], []))
    if waits:
        # Either a fatal error, or a failure for each record; a SystemError ends this test.
        with suppress(KafkaException):
            older.wait()
            assert older.failures
    older.abandon()


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_dead_bridge_left_open_is_never_seen(stack: Stack, client: str) -> None:
    topic = unique("open")
    stack.create_topics(topic, f"{topic}.dead-letter")
    dead = Producer({"bootstrap.servers": stack.kafka, "transactional.id": topic})
    dead.init_transactions(60)
    dead.begin_transaction()
    dead.produce(topic, b"half", b"k")
    assert dead.flush(60) == 0
    sink = sink_of(stack.kafka, topic, client, "exactly-once")
    sink.open()
    sink.deliver(Batch([Record(b"k", b"whole")], [], b"position"))
    sink.close()
    assert [kept.value for kept in topic_records(stack.kafka, topic)] == [b"whole"]
    dead.purge()


class _SlowAbort:
    """A producer of which a record fails at once, and the abort takes long."""

    def __init__(self, clock: list[float]) -> None:
        self.raw = self
        self._clock = clock

    def begin_transaction(self) -> None:
        pass

    def abort_transaction(self) -> None:
        self._clock[0] += 60

    def send(self, batch: Batch) -> list[Failure]:
        return [Failure(batch.readings[0], KafkaTimeoutError("no answer"))]

    def call(self, step: Callable[[], None], _what: str) -> None:
        step()

    def abandon(self) -> None:
        pass


def test_a_slow_abort_makes_no_batch_too_slow() -> None:
    clock = [0.0]
    sink: Any = sink_of("127.0.0.1:1", unique("slow"), "kafka-python", "exactly-once")
    sink._time = TransactionTime(lambda: clock[0])  # noqa: SLF001 the time in question
    sink._producer = _SlowAbort(clock)  # noqa: SLF001 which takes it
    # Else the next batches would be smaller for no reason.
    with pytest.raises(SinkUnavailableError, match="no answer"):
        sink.deliver(Batch([Record(b"k", reading("k"))], [], b"position"))
