"""With a paho that lacks the private names, a bridge runs by the public ones, and loses nothing.

The guarantees are those of the other tests in this folder, each shown once.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.bridge.mqtt.other_paho import use
from tests.bridge.readings import reading
from tests.bridge.service.test_qos_2 import subscribe_at_qos_2
from tests.bridge.service.test_service import Route, per_guid, readings
from tests.support import (
    PATIENCE_S,
    Publisher,
    await_true,
    mqtt_client,
    topic_records,
    unique,
)

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.local import Stack

pytestmark = pytest.mark.integration


@pytest.fixture
def route(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Route:
    use(tmp_path, monkeypatch)
    topic = unique("other-paho")
    stack.create_topics(topic, f"{topic}.dead-letter", partitions=3)
    return Route(stack, topic, f"tests/{topic}", topic)


@pytest.mark.parametrize("delivery", ("exactly-once", "at-least-once"))
def test_kill_9_and_reconnects_in_mid_stream_lose_nothing(route: Route, delivery: str) -> None:
    sent = readings(18_000)
    options = ("--delivery", delivery, "--receive-maximum", "1000")
    with Publisher(route.stack.mqtt) as publisher:
        for part in range(0, 12_000, 6000):
            with route.bridge(*options) as bridge:
                line = bridge.await_line("mqtt library")
                assert "way=public names" in line.replace('"', "")
                bridge.await_line("ready")
                publisher.publish(route.mqtt_topic, sent[part : part + 6000])
                await_true(route.flows, "the stream to flow")
                bridge.end(signal.SIGKILL)
        publisher.publish(route.mqtt_topic, sent[12_000:])
        publisher.finish()
    with route.bridge(*options) as bridge:
        bridge.await_line("ready")
        route.stack.stop_mosquitto()
        route.stack.start_mosquitto()
        await_true(lambda: set(route.values()) == set(sent), "every reading in Kafka")
        assert bridge.end() == 0
    if delivery == "exactly-once":
        assert per_guid(route.values()) == per_guid(sent)


def test_what_came_at_qos_2_comes_once_over_kill_9(route: Route) -> None:
    subscribe_at_qos_2(route.stack, route)
    sent = readings(600)
    with mqtt_client(route.stack) as client:
        waiting = [client.publish(route.mqtt_topic, payload, qos=2) for payload in sent]
        for each in waiting:
            each.wait_for_publish(PATIENCE_S)
    with route.bridge("--receive-maximum", "20") as bridge:
        bridge.await_line("ready")
        await_true(route.flows, "the stream to flow")
        bridge.end(signal.SIGKILL)
    with route.bridge() as bridge:
        await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
        assert bridge.end() == 0
    assert per_guid(route.values()) == per_guid(sent)


def test_a_message_above_the_limit_is_set_aside_and_its_neighbour_forwarded(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOTHERM_BRIDGE_MQTT_VERSION", "3.1.1")
    monkeypatch.setenv("ISOTHERM_BRIDGE_MQTT_MAX_PACKET_SIZE", "65536")
    good = reading("guid-1", 1)
    with route.bridge() as bridge, Publisher(route.stack.mqtt) as publisher:
        bridge.await_line("ready")
        publisher.publish(route.mqtt_topic, [b"[" * 300_000, good])
        publisher.finish()
        await_true(lambda: route.values() == [good], "the reading behind it")
        letters = topic_records(route.stack.kafka, f"{route.kafka_topic}.dead-letter")
        assert [letter.headers["reason"] for letter in letters] == [b"too_large"]
        assert bridge.end() == 0
