"""A session that holds messages at QoS 2, from a time when somebody subscribed so."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.bridge.service.test_service import Route, per_guid, readings
from tests.support import PATIENCE_S, await_true, mqtt_client, unique

if TYPE_CHECKING:
    from deploy.local import Stack

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("version", ("5", "3.1.1"))
def test_each_comes_once_over_kill_9(
    stack: Stack, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOTHERM_BRIDGE_MQTT_VERSION", version)
    topic = unique("exact")
    stack.create_topics(topic, f"{topic}.dead-letter", partitions=3)
    route = Route(stack, topic, f"tests/{topic}", topic)
    subscribe_at_qos_2(stack, route)
    sent = readings(900)
    with mqtt_client(stack) as client:
        waiting = [client.publish(route.mqtt_topic, payload, qos=2) for payload in sent]
        for each in waiting:
            each.wait_for_publish(PATIENCE_S)
    for _ in range(2):
        with route.bridge("--receive-maximum", "20") as bridge:
            bridge.await_line("ready")
            await_true(route.flows, "the stream to flow")
            bridge.end(signal.SIGKILL)
    with route.bridge() as bridge:
        await_true(lambda: route.size() >= len(sent), "all readings in Kafka")
        assert bridge.end() == 0
    assert per_guid(route.values()) == per_guid(sent)


def subscribe_at_qos_2(stack: Stack, route: Route) -> None:
    address = urlsplit(stack.mqtt)
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=route.client_id, protocol=paho.MQTTv5
    )
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # its gap
    properties.SessionExpiryInterval = 600
    assert address.hostname
    assert address.port
    client.connect(address.hostname, address.port, clean_start=True, properties=properties)
    client.loop_start()
    await_true(client.is_connected, "the connection")
    client.subscribe(route.mqtt_topic, 2)
    assert subscribed.wait(PATIENCE_S)
    client.disconnect()
    client.loop_stop()
