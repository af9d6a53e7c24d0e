"""One suite for every sink; the in-memory twin passes it too."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from bridge.kafka.errors import (
    LettersTooLargeError,
    RecordsRefusedError,
    SinkClosingError,
    SinkUnavailableError,
)
from bridge.kafka.sink import MemorySink, Sink
from bridge.records import Batch, Record
from isotherm.log import Availability, Log
from tests.bridge.kafka.sink_bench import CLIENTS, DELIVERIES, SINKS, deliver_patiently, sink_of
from tests.bridge.readings import reading
from tests.faults.job.test_dead_letters import limit
from tests.support import Kept, await_true, topic_records, unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.local import Stack


class Bench:
    """A sink, and how to look at what it wrote."""

    def __init__(self, name: str, delivery: str, stack: Any) -> None:
        self.topic = unique("sink")
        self._stack = stack
        self._name = name
        if name == "memory":
            self.sink: Sink = MemorySink(refuse_above=1_000_000)
            return
        stack.create_topics(self.topic, f"{self.topic}.dead-letter", partitions=3)
        self.sink = sink_of(stack.kafka, self.topic, name, delivery)

    def limit_letters(self, size: int) -> None:
        """Have the dead-letter topic take no larger ones."""
        if isinstance(self.sink, MemorySink):
            self.sink.largest_letter = size
        else:
            limit(self._stack, f"{self.topic}.dead-letter", size)

    def readings(self) -> list[Kept]:
        return self._records(self.topic, "readings")

    def dead_letters(self) -> list[Kept]:
        return self._records(f"{self.topic}.dead-letter", "dead_letters")

    def _records(self, topic: str, attribute: str) -> list[Kept]:
        if self._name != "memory":
            return topic_records(self._stack.kafka, topic)
        records: list[Record] = getattr(self.sink, attribute)
        return [Kept(record.key, record.value, dict(record.headers), 0) for record in records]


@pytest.fixture(
    params=(
        pytest.param(("memory", "exactly-once"), id="memory"),
        *(pytest.param(s, marks=pytest.mark.integration, id="-".join(s)) for s in SINKS),
    )
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    name, delivery = request.param
    stack = None if name == "memory" else request.getfixturevalue("stack")
    made = Bench(name, delivery, stack)
    yield made
    made.sink.close()


def test_a_batch_arrives_whole_keyed_and_in_order_for_each_key(bench: Bench) -> None:
    records = [Record(b"guid-%d" % (n % 7), reading(f"guid-{n % 7}", n + 1)) for n in range(2000)]
    bench.sink.open()
    bench.sink.deliver(Batch(records[:1500], []))
    bench.sink.deliver(Batch(records[1500:], []))
    expected: dict[bytes, list[bytes]] = defaultdict(list)
    for record in records:
        expected[record.key].append(record.value)
    found: dict[bytes | None, list[bytes]] = defaultdict(list)
    for kept in bench.readings():
        found[kept.key].append(kept.value)
    assert found == expected


def test_dead_letters_keep_their_bytes_and_headers(bench: Bench) -> None:
    letter = Record(b"key", b"\xff\x00{", (("reason", b"not_utf8"), ("mqtt_topic", b"a/b")))
    bench.sink.open()
    bench.sink.deliver(Batch([], [letter]))
    [kept] = bench.dead_letters()
    assert (kept.value, kept.headers) == (letter.value, dict(letter.headers))


def test_a_record_that_kafka_refuses_is_named_and_its_neighbours_arrive(bench: Bench) -> None:
    huge = Record(b"huge", b"x" * 1_200_000)
    neighbours = [Record(b"n%d" % n, reading(f"n{n}")) for n in range(50)]
    bench.sink.open()
    with pytest.raises(RecordsRefusedError) as raised:
        bench.sink.deliver(Batch([*neighbours[:25], huge, *neighbours[25:]], []))
    assert [record for record, _why in raised.value.refusals] == [huge]
    assert raised.value.refusals[0][1]
    bench.sink.deliver(raised.value.remaining)
    assert sorted(kept.value for kept in bench.readings()) == sorted(n.value for n in neighbours)


def test_a_refused_reading_and_a_refused_letter_in_one_batch_are_both_named(bench: Bench) -> None:
    bench.limit_letters(20_000)
    huge = Record(b"huge", b"x" * 1_200_000)
    neighbour = Record(b"n", reading("n"))
    small, large = Record(b"small", b"{"), Record(b"large", b"{" * 50_000)
    bench.sink.open()
    with pytest.raises(RecordsRefusedError) as raised:
        bench.sink.deliver(Batch([neighbour, huge], [small, large], b"position"))
    assert [record for record, _why in raised.value.refusals] == [huge]
    with pytest.raises(LettersTooLargeError) as held_back:
        bench.sink.deliver(raised.value.remaining)
    remaining = held_back.value.remaining
    assert remaining is not None
    assert large in remaining.dead_letters
    bench.sink.deliver(
        remaining._replace(dead_letters=[e for e in remaining.dead_letters if e != large])
    )
    assert [kept.value for kept in bench.readings()] == [neighbour.value]
    assert [kept.value for kept in bench.dead_letters()] == [small.value]


@pytest.mark.integration
@pytest.mark.parametrize("client", CLIENTS)
def test_a_guid_has_the_same_partition_whichever_client_writes(stack: Stack, client: str) -> None:
    topic = unique("partition")
    stack.create_topics(topic, f"{topic}.dead-letter", partitions=5)
    keys = [b"0-ZZZ12345678-%02dK" % n for n in range(50)]
    sink = sink_of(stack.kafka, topic, client, "at-least-once")
    sink.open()
    sink.deliver(Batch([Record(key, key) for key in keys], []))
    sink.close()
    found = {kept.key: kept.partition for kept in topic_records(stack.kafka, topic)}
    assert [found[key] for key in keys] == [murmur2(key) % 5 for key in keys]


@pytest.mark.integration
@pytest.mark.parametrize(("client", "delivery"), SINKS)
def test_a_missing_topic_is_named(stack: Stack, client: str, delivery: str) -> None:
    topic = unique("absent")
    sink = sink_of(stack.kafka, topic, client, delivery)
    with pytest.raises(SinkUnavailableError, match=f"topic {topic} does not exist"):
        sink.open()
    sink.close()


# A Kafka that goes away is met in this process by librdkafka alone: kafka-python leaves the sockets
# of failed attempts to the garbage collector, which pytest reports in whatever test comes next.
# tests/bridge/service/test_service.py does the same to both, in processes of their own.


@pytest.mark.integration
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_an_unreachable_kafka_is_retriable_and_named(delivery: str) -> None:
    sink = sink_of("127.0.0.1:1", "t", "librdkafka", delivery)
    with pytest.raises(SinkUnavailableError, match=r"127\.0\.0\.1:1"):
        sink.open()
    sink.close()


@pytest.mark.integration
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_delivery_outlives_a_kafka_that_stops_and_comes_back(stack: Stack, delivery: str) -> None:
    topic = unique("outage")
    stack.create_topics(topic, f"{topic}.dead-letter")
    kafka = Availability("kafka", Log("test"))
    sink = sink_of(stack.kafka, topic, "librdkafka", delivery, availability=kafka)
    sink.open()
    records = [Record(b"k", reading("k", n + 1)) for n in range(100)]
    stack.stop_kafka()
    done = threading.Thread(target=deliver_patiently, args=(sink, Batch(records, [], b"8 bytes.")))
    done.start()
    try:
        await_true(lambda: kafka.available is False, "the sink to say that Kafka is lost")
    finally:
        stack.start_kafka()
    done.join(60)
    assert not done.is_alive()
    sink.close()
    assert [kept.value for kept in topic_records(stack.kafka, topic)] == [r.value for r in records]


@pytest.mark.integration
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_stopping_ends_a_delivery_that_kafka_does_not_answer(stack: Stack, delivery: str) -> None:
    topic = unique("stopping")
    stack.create_topics(topic, f"{topic}.dead-letter")
    stopping = threading.Event()
    sink = sink_of(stack.kafka, topic, "librdkafka", delivery, stopping=stopping)
    sink.open()
    stack.stop_kafka()
    stopping.set()
    try:
        with pytest.raises(SinkClosingError):
            sink.deliver(Batch([Record(b"k", reading())], []))
        sink.close()
    finally:
        stack.start_kafka()


def murmur2(data: bytes) -> int:
    """The hash of Kafka's default partitioner, made positive (Apache Kafka, Utils.murmur2)."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ (k >> 24)) * m & mask)
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return (h ^ (h >> 15)) & 0x7FFFFFFF
