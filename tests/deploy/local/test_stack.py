"""The stack against its real services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.local.services.kafka import kafka_answers
from deploy.local.services.mosquitto import mqtt_answers
from isotherm.settings.address import parse_address, parse_host_port

if TYPE_CHECKING:
    from deploy.local import Stack

pytestmark = pytest.mark.integration


def mqtt_port(stack: Stack) -> int:
    return parse_address(stack.mqtt, {"mqtt": 1883}).port


def kafka_port(stack: Stack) -> int:
    return parse_host_port(stack.kafka).port


def test_services_stop_and_come_back_at_the_same_port(stack: Stack) -> None:
    mqtt, kafka = stack.mqtt, stack.kafka

    stack.stop_kafka()
    stack.stop_mosquitto()
    assert not kafka_answers(kafka_port(stack))
    assert not mqtt_answers(mqtt_port(stack))

    stack.start_mosquitto()
    stack.start_kafka()
    assert (stack.mqtt, stack.kafka) == (mqtt, kafka)
    assert kafka_answers(kafka_port(stack))
    assert mqtt_answers(mqtt_port(stack))


def test_topics_outlive_a_kill_of_kafka(stack: Stack) -> None:
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 unit runs do without it

    stack.create_topics("outlives-a-kill", partitions=3)
    stack.stop_kafka(kill=True)
    stack.start_kafka()
    with KafkaAdminClient(bootstrap_servers=stack.kafka) as admin:
        (topic,) = admin.describe_topics(["outlives-a-kill"])
    assert len(topic["partitions"]) == 3
