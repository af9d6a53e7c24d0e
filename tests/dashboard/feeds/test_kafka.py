"""Snapshots out of a real Kafka, as the job's own sink writes them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from aggregator.analytics.snapshot import to_json
from aggregator.sinks.kafka import KafkaSink
from dashboard.feeds.kafka import KafkaFeed
from deploy.local.ports import free_port
from isotherm.kafka.access import KafkaAccess
from tests.dashboard.feeds.test_incoming import HOSTILE
from tests.dashboard.support.fleet import snapshot
from tests.support import await_true, unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboard.feeds.base import Source
    from deploy.local import Stack

pytestmark = [pytest.mark.integration, pytest.mark.lowest]


class Kept:
    """An inbox that keeps what it is given."""

    def __init__(self) -> None:
        self.snapshots: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.sources: list[Source] = []

    def snapshot(self, snapshot: dict[str, Any]) -> None:
        self.snapshots.append(snapshot)

    def broken(self, where: str, why: str) -> None:
        self.faults.append(f"{where}: {why}")

    def source(self, source: Source) -> None:
        self.sources.append(source)

    def await_batches(self, *batches: int) -> None:
        await_true(
            lambda: [one["batch_id"] for one in self.snapshots] == list(batches),
            f"batches {batches}",
        )
        assert all(set(one["scopes"]) == {"window", "since_start"} for one in self.snapshots)

    def await_word(self, word: str) -> None:
        await_true(lambda: any(word in source.why for source in self.sources), word)

    def await_up(self) -> None:
        await_true(lambda: bool(self.sources) and self.sources[-1].up, "Kafka")


@contextmanager
def following(access: KafkaAccess, topic: str) -> Iterator[Kept]:
    kept, stop = Kept(), threading.Event()
    thread = threading.Thread(target=KafkaFeed(access, topic).run, args=(kept, stop))
    thread.start()
    try:
        yield kept
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_what_is_there_and_what_comes_with_all_scopes(stack: Stack) -> None:
    topic = unique("analytics")
    stack.create_topics(topic, partitions=3)
    sink = KafkaSink(KafkaAccess(brokers=stack.kafka), topic)
    for batch in (1, 2):
        sink.emit(snapshot(batch, ago=6 - batch))
    with following(KafkaAccess(brokers=stack.kafka), topic) as kept:
        kept.await_batches(1, 2)
        sink.emit(snapshot(3))
        kept.await_batches(1, 2, 3)
    with following(KafkaAccess(brokers=stack.kafka), topic) as kept:
        kept.await_batches(1, 2, 3)


def test_what_is_no_snapshot_is_told_with_its_place(stack: Stack) -> None:
    topic = unique("analytics")
    stack.create_topics(topic, partitions=1)
    producer = Producer({"bootstrap.servers": stack.kafka})
    for value in (b"{", b'{"schema":"isotherm.snapshot/2"}', None):
        producer.produce(topic, value)
    assert producer.flush(30) == 0
    KafkaSink(KafkaAccess(brokers=stack.kafka), topic).emit(snapshot(1))
    with following(KafkaAccess(brokers=stack.kafka), topic) as kept:
        kept.await_batches(1)
    assert len(kept.faults) == 3
    assert kept.faults[1] == f"{topic}, partition 0, offset 1: it is not isotherm.snapshot/1"


def test_a_topic_that_is_not_there_is_named_until_it_is(stack: Stack) -> None:
    topic = unique("analytics")
    with following(KafkaAccess(brokers=stack.kafka), topic) as kept:
        kept.await_word(f"has no topic {topic}: create it")
        stack.create_topics(topic, partitions=1)
        kept.await_up()
        KafkaSink(KafkaAccess(brokers=stack.kafka), topic).emit(snapshot(1))
        kept.await_batches(1)


def test_nobody_there_is_said() -> None:
    brokers = f"127.0.0.1:{free_port()}"
    with following(KafkaAccess(brokers=brokers), "analytics") as kept:
        kept.await_word(brokers)
    assert not any(source.up for source in kept.sources)


def test_goes_on_after_kafka_was_away(stack: Stack) -> None:
    topic = unique("analytics")
    stack.create_topics(topic, partitions=2)
    sink = KafkaSink(KafkaAccess(brokers=stack.kafka), topic)
    sink.emit(snapshot(1))
    with following(KafkaAccess(brokers=stack.kafka), topic) as kept:
        kept.await_batches(1)
        stack.stop_kafka()
        try:
            kept.await_word("no broker answers")
        finally:
            stack.start_kafka()
        await_true(lambda: kept.sources[-1].up, "Kafka again")
        KafkaSink(KafkaAccess(brokers=stack.kafka), topic).emit(snapshot(2))
        await_true(lambda: kept.snapshots[-1]["batch_id"] == 2, "what came after")


def test_no_record_ends_the_feed_nor_after_a_restart(stack: Stack) -> None:
    topic = unique("analytics")
    stack.create_topics(topic, partitions=1)
    sink = KafkaSink(KafkaAccess(brokers=stack.kafka), topic)
    sink.emit(snapshot(1))
    producer = Producer({"bootstrap.servers": stack.kafka})
    good = to_json(snapshot(2))
    hostile = (
        (HOSTILE / "average-overflow.json").read_bytes(),
        good.replace('"batch_id":2', '"batch_id":' + "2" * 5_000).encode(),
        good.replace('"query_id":"', '"query_id":"\\ud800').encode(),
        good.replace('"CA"', '"\\udfff"').encode(),
        b"[" * 100_000,
        b"\xff",
    )
    for value in hostile:
        producer.produce(topic, value)
    assert producer.flush(30) == 0
    sink.emit(snapshot(3))
    for _ in range(2):
        with following(KafkaAccess(brokers=stack.kafka), topic) as kept:
            kept.await_batches(1, 3)
        assert len(kept.faults) == len(hostile)
        assert all(source.up for source in kept.sources)
