"""A broker that gives the client id to another client, while Kafka knows of no other bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bridge.mqtt.packets import CONNACK_NEW, CONNACK_RESUMED, PINGRESP, publish
from tests.bridge.mqtt.scripted_broker import ScriptedBroker
from tests.bridge.mqtt.test_session import greet
from tests.bridge.readings import reading
from tests.support import await_true, program, topic_records, unique

if TYPE_CHECKING:
    from deploy.local import Stack

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("delivery", ("exactly-once", "at-least-once"))
def test_the_bridge_comes_back_and_goes_on(stack: Stack, delivery: str) -> None:
    topic = unique("taken")
    stack.create_topics(topic, f"{topic}.dead-letter")
    with (
        ScriptedBroker(patience=60) as broker,
        program(
            *("bridge", "run", "--mqtt", f"mqtt://127.0.0.1:{broker.port}"),
            *("--kafka", stack.kafka, "--topic", topic, "--delivery", delivery),
            *("--subscribe", "t", "--client-id", topic),
        ) as bridge,
    ):
        peer = greet(broker, CONNACK_NEW)
        bridge.await_line("ready")
        peer.send(publish(b"t", reading("g", 1), 1))
        assert peer.packet() == b"\x40\x02\x00\x01"
        peer.send(b"\xe0\x01\x8e")
        line = bridge.await_line("mqtt refuses this bridge")
        assert f"another client connected with the client id '{topic}'" in line
        peer = greet(broker, CONNACK_RESUMED)
        bridge.await_line("mqtt connected")
        peer.send(publish(b"t", reading("g", 2), 2))
        assert peer.packet() == b"\x40\x02\x00\x02"
        await_true(lambda: len(topic_records(stack.kafka, topic)) == 2, "both readings")
        bridge.process.terminate()
        assert peer.packet()[0] == 0xC0
        peer.send(PINGRESP)
        assert bridge.end() == 0
