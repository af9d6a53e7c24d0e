"""The bridge as its operator runs it: a process between the real brokers."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.bridge.readings import reading
from tests.support import (
    Program,
    Publisher,
    await_true,
    program,
    topic_records,
    topic_size,
    unique,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deploy.local import Stack

pytestmark = [pytest.mark.integration, pytest.mark.lowest]


class Route(NamedTuple):
    """One test's own topics and session."""

    stack: Stack
    kafka_topic: str
    mqtt_topic: str
    client_id: str

    def bridge(self, *more: str) -> AbstractContextManager[Program]:
        return program(
            "bridge",
            "run",
            "--mqtt",
            self.stack.mqtt,
            "--kafka",
            self.stack.kafka,
            "--topic",
            self.kafka_topic,
            "--subscribe",
            self.mqtt_topic,
            "--client-id",
            self.client_id,
            *more,
        )

    def values(self) -> list[bytes]:
        return [kept.value for kept in topic_records(self.stack.kafka, self.kafka_topic)]

    def size(self) -> int:
        """Committed records."""
        return len(topic_records(self.stack.kafka, self.kafka_topic))

    def flows(self) -> bool:
        """Whether anything was written, committed or not."""
        return topic_size(self.stack.kafka, self.kafka_topic) > 0

    def subscribe(self) -> None:
        """Let the MQTT broker hold the session, so that it keeps messages from now on."""
        with self.bridge() as bridge:
            bridge.await_line("ready")
            assert bridge.end() == 0


@pytest.fixture
def route(stack: Stack) -> Route:
    topic = unique("bridge")
    stack.create_topics(topic, f"{topic}.dead-letter", partitions=3)
    return Route(stack, topic, f"tests/{topic}", topic)


def readings(count: int) -> list[bytes]:
    return [reading(f"guid-{n % 50}", n + 1) for n in range(count)]


def per_guid(values: list[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for value in values:
        found.setdefault(value.split(b'"', 4)[3], []).append(value)
    return found


@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_every_message_arrives_once_byte_for_byte_in_order(route: Route, client: str) -> None:
    sent = readings(3000)
    with route.bridge("--kafka-client", client) as bridge, Publisher(route.stack.mqtt) as publisher:
        bridge.await_line("ready")
        publisher.publish(route.mqtt_topic, sent)
        await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
        assert bridge.end() == 0
    assert "received=3000 duplicates=0 suppressed=0 delivered=3000 rejected=0" in bridge.lines[-1]
    assert per_guid(route.values()) == per_guid(sent)


def test_bad_messages_reach_the_dead_letter_topic_and_their_neighbours_kafka(route: Route) -> None:
    good = readings(20)
    payloads = [*good[:10], b"hello", b"", b"\n".join([good[10], b"\xff", good[11]]), *good[12:]]
    payloads.append(b"z" * 2_000_000)
    with route.bridge() as bridge, Publisher(route.stack.mqtt) as publisher:
        bridge.await_line("ready")
        publisher.publish(route.mqtt_topic, payloads)
        letters = f"{route.kafka_topic}.dead-letter"
        await_true(lambda: len(topic_records(route.stack.kafka, letters)) >= 6, "the dead letters")
        await_true(lambda: route.size() >= 20, "the readings")
        assert bridge.end() == 0
    assert sorted(route.values()) == sorted(good)
    kept = topic_records(route.stack.kafka, letters)
    whole = sorted((k.headers["reason"], k.value) for k in kept if k.headers["parts"] == b"1")
    assert whole == [(b"not_json", b""), (b"not_json", b"hello"), (b"not_utf8", b"\xff")]
    parts = [k for k in kept if k.headers["reason"] == b"too_large"]
    assert b"".join(k.value for k in parts) == payloads[-1]
    assert {k.headers["mqtt_topic"] for k in kept} == {route.mqtt_topic.encode()}


@pytest.mark.parametrize(
    ("client", "delivery"),
    (
        ("librdkafka", "exactly-once"),
        ("librdkafka", "at-least-once"),
        ("kafka-python", "exactly-once"),
    ),
)
def test_kill_9_in_mid_stream_loses_nothing_and_doubles_nothing(
    route: Route, client: str, delivery: str
) -> None:
    sent = readings(24_000)
    options = ("--kafka-client", client, "--delivery", delivery)
    with Publisher(route.stack.mqtt) as publisher:
        for part in range(0, len(sent), 6000):
            with route.bridge(*options) as bridge:
                bridge.await_line("ready")
                publisher.publish(route.mqtt_topic, sent[part : part + 6000])
                await_true(route.flows, "the stream to flow")
                bridge.end(signal.SIGKILL)
        publisher.finish()
        with route.bridge(*options) as bridge:
            assert "session=resumed" in bridge.await_line("mqtt connected")
            await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
            await_true(lambda: set(route.values()) == set(sent), "every reading in Kafka")
            assert bridge.end() == 0
    if delivery == "exactly-once":
        assert per_guid(route.values()) == per_guid(sent)


def test_reconnects_in_mid_stream_double_nothing(route: Route) -> None:
    sent = readings(9000)
    with route.bridge() as bridge:
        bridge.await_line("ready")
        for part in range(0, len(sent), 3000):
            with Publisher(route.stack.mqtt) as publisher:
                publisher.publish(route.mqtt_topic, sent[part : part + 3000])
                publisher.finish()
            route.stack.stop_mosquitto()
            route.stack.start_mosquitto()
            assert "session=resumed" in bridge.await_line("mqtt connected")
        await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
        assert bridge.end() == 0
    assert per_guid(route.values()) == per_guid(sent)


def test_of_two_under_one_client_id_the_older_ends_with_a_sentence(route: Route) -> None:
    sent = readings(4000)
    with route.bridge() as older, Publisher(route.stack.mqtt) as publisher:
        older.await_line("ready")
        publisher.publish(route.mqtt_topic, sent[:2000])
        with route.bridge() as newer:
            newer.await_line("ready")
            assert older.process.wait(30) == 1
            older.end()
            assert "another bridge runs under the client id" in older.lines[-1]
            publisher.publish(route.mqtt_topic, sent[2000:])
            publisher.finish()
            await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
            assert newer.end() == 0
    assert per_guid(route.values()) == per_guid(sent)


def test_sigterm_in_mid_stream_loses_and_doubles_nothing(route: Route) -> None:
    sent = readings(20_000)
    with Publisher(route.stack.mqtt) as publisher:
        with route.bridge() as bridge:
            bridge.await_line("ready")
            publisher.publish(route.mqtt_topic, sent[:15_000])
            assert bridge.end() == 0
            assert "drained=true" in bridge.lines[-1]
        publisher.publish(route.mqtt_topic, sent[15_000:])
        publisher.finish()
        with route.bridge() as bridge:
            await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
            assert bridge.end() == 0
    assert per_guid(route.values()) == per_guid(sent)


@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_kafka_stopped_for_ten_seconds_loses_nothing(route: Route, client: str) -> None:
    sent = readings(6000)
    with route.bridge("--kafka-client", client) as bridge, Publisher(route.stack.mqtt) as publisher:
        bridge.await_line("ready")
        publisher.publish(route.mqtt_topic, sent[:3000])
        await_true(route.flows, "the stream to flow")
        route.stack.stop_kafka()
        try:
            publisher.publish(route.mqtt_topic, sent[3000:])
            publisher.finish()
            bridge.await_line("kafka lost")
            with pytest.raises(AssertionError):
                bridge.await_line("mqtt lost", timeout=10)
        finally:
            route.stack.start_kafka()
        bridge.await_line("kafka connected")
        await_true(lambda: set(route.values()) == set(sent), "every reading in Kafka")
        assert bridge.end() == 0
    assert per_guid(route.values()) == per_guid(sent)


@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_sigterm_with_kafka_away_leaves_the_messages_to_the_mqtt_broker(
    route: Route, client: str
) -> None:
    sent = readings(200)
    with route.bridge("--kafka-client", client) as bridge, Publisher(route.stack.mqtt) as publisher:
        bridge.await_line("ready")
        route.stack.stop_kafka()
        try:
            publisher.publish(route.mqtt_topic, sent)
            publisher.finish()
            bridge.await_line("kafka lost")
            assert bridge.end() == 0
            assert "drained=false" in bridge.lines[-1]
            assert not [line for line in bridge.lines if "Traceback" in line]
        finally:
            route.stack.start_kafka()
    with route.bridge() as bridge:
        await_true(lambda: set(route.values()) == set(sent), "every reading in Kafka")
        assert bridge.end() == 0


@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_it_starts_before_kafka_and_before_the_mqtt_broker(route: Route, client: str) -> None:
    sent = readings(100)
    route.subscribe()
    route.stack.stop_kafka()
    route.stack.stop_mosquitto()
    try:
        with route.bridge("--kafka-client", client) as bridge:
            seen = bridge.await_line("waiting for") + bridge.await_line("waiting for")
            assert "waiting for kafka" in seen
            assert "waiting for mqtt" in seen
            route.stack.start_mosquitto()
            assert "session=resumed" in bridge.await_line("mqtt connected")
            with Publisher(route.stack.mqtt) as publisher:
                publisher.publish(route.mqtt_topic, sent)
                publisher.finish()
            route.stack.start_kafka()
            bridge.await_line("ready")
            await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
            assert bridge.end() == 0
    finally:
        for service in route.stack.services:
            if service.child is None:
                service.launch()
                service.wait_ready(may_move=False)
    assert per_guid(route.values()) == per_guid(sent)


def test_a_missing_topic_is_named_and_waited_for(route: Route) -> None:
    topic = unique("later")
    with route.bridge("--topic", topic) as bridge:
        assert f"topic {topic} does not exist" in bridge.await_line("kafka refuses this bridge")
        route.stack.create_topics(topic, f"{topic}.dead-letter")
        bridge.await_line("ready")
        assert bridge.end() == 0
