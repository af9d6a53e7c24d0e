"""Who is compared, and how each is started."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Callable


class Task(NamedTuple):
    """What a contender is told.

    Attributes:
        mqtt_port: of the broker.
        kafka: ``host:port``.
        topic: where records go.
        client_id: of its MQTT session, which exists already.
        window: its Receive Maximum.
    """

    mqtt_port: int
    kafka: str
    topic: str
    client_id: str
    window: int


class Contender(NamedTuple):
    """One way to move MQTT into Kafka.

    Attributes:
        name: for people.
        command: the program and its arguments.
    """

    name: str
    command: Callable[[Task], list[str]]


def _bridge(client: str, delivery: str) -> Contender:
    def command(task: Task) -> list[str]:
        return [
            *(sys.executable, "-m", "bridge", "run"),
            *("--mqtt", f"mqtt://{LOOPBACK}:{task.mqtt_port}", "--kafka", task.kafka),
            *("--topic", task.topic, "--client-id", task.client_id),
            *("--receive-maximum", str(task.window), "--kafka-client", client),
            *("--delivery", delivery, "--metrics", f"{LOOPBACK}:{free_port()}"),
        ]

    return Contender(f"isotherm, {client}, {delivery}", command)


def _plain(client: str) -> Contender:
    def command(task: Task) -> list[str]:
        return [
            *(sys.executable, "-m", "benchmarks.bridge.plain", client, str(task.mqtt_port)),
            *(task.kafka, task.topic, task.client_id, str(task.window)),
        ]

    return Contender(f"plain paho to {client}", command)


CONTENDERS: Final = (
    _bridge("librdkafka", "exactly-once"),
    _bridge("librdkafka", "at-least-once"),
    _plain("confluent"),
    _bridge("kafka-python", "exactly-once"),
    _bridge("kafka-python", "at-least-once"),
    _plain("kafka-python"),
)
