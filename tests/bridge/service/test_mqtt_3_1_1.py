"""The bridge as an MQTT 3.1.1 client, for brokers that have no 5.0."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.bridge.service.test_service import Route, per_guid, readings
from tests.support import Publisher, await_true, mqtt_client, unique

if TYPE_CHECKING:
    from deploy.local import Stack

pytestmark = pytest.mark.integration


@pytest.fixture
def route(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Route:
    monkeypatch.setenv("ISOTHERM_BRIDGE_MQTT_VERSION", "3.1.1")
    topic = unique("three")
    stack.create_topics(topic, f"{topic}.dead-letter", partitions=3)
    return Route(stack, topic, f"tests/{topic}", topic)


def test_messages_flow_and_wait_for_a_bridge_that_is_away(route: Route) -> None:
    sent = readings(3000)
    with Publisher(route.stack.mqtt) as publisher:
        with route.bridge() as bridge:
            bridge.await_line("ready")
            publisher.publish(route.mqtt_topic, sent[:2000])
            assert bridge.end() == 0
        publisher.publish(route.mqtt_topic, sent[2000:])
        publisher.finish()
    with route.bridge() as bridge:
        assert "session=resumed" in bridge.await_line("mqtt connected")
        await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
        assert bridge.end() == 0
    assert per_guid(route.values()) == per_guid(sent)


def came(route: Route, value: bytes) -> bool:
    return value in route.values()


def test_a_retained_reading_is_counted_once_however_often_the_bridge_connects(route: Route) -> None:
    [kept, *others] = readings(4)
    with mqtt_client(route.stack) as client:
        client.publish(route.mqtt_topic, kept, qos=1, retain=True).wait_for_publish(30)
        with Publisher(route.stack.mqtt) as publisher:
            for life, other in enumerate(others):
                with route.bridge() as bridge:
                    bridge.await_line("ready")
                    if life == 1:
                        route.stack.stop_mosquitto()
                        route.stack.start_mosquitto()
                        bridge.await_line("mqtt connected")
                    publisher.publish(route.mqtt_topic, [other])
                    publisher.finish()
                    await_true(partial(came, route, other), "what came after it")
                    assert bridge.end(signal.SIGKILL if life == 0 else signal.SIGTERM) in (0, -9)
        client.publish(route.mqtt_topic, b"", qos=1, retain=True).wait_for_publish(30)
    assert sorted(route.values()) == sorted([kept, *others])


def test_kill_9_in_mid_stream_loses_nothing_and_doubles_nothing(route: Route) -> None:
    sent = readings(18_000)
    with Publisher(route.stack.mqtt) as publisher:
        for part in range(0, len(sent), 6000):
            with route.bridge() as bridge:
                bridge.await_line("ready")
                publisher.publish(route.mqtt_topic, sent[part : part + 6000])
                await_true(route.flows, "the stream to flow")
                bridge.end(signal.SIGKILL)
        publisher.finish()
    with route.bridge() as bridge:
        assert "session=resumed" in bridge.await_line("mqtt connected")
        await_true(lambda: set(route.values()) == set(sent), "every reading in Kafka")
        assert bridge.end() == 0
    assert per_guid(route.values()) == per_guid(sent)
