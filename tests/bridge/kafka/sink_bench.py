"""Sinks for tests, by client and delivery."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bridge.kafka.errors import BatchTooSlowError, SinkUnavailableError
from bridge.kafka.factory import make_sink
from bridge.settings import PREFIX, BridgeSettings
from isotherm.log import Availability, Log
from isotherm.settings.table import load

if TYPE_CHECKING:
    from bridge.kafka.sink import Sink
    from bridge.records import Batch

CLIENTS = ("librdkafka", "kafka-python")


DELIVERIES = ("at-least-once", "exactly-once")
SINKS = tuple((client, delivery) for client in CLIENTS for delivery in DELIVERIES)


def settings(kafka: str, topic: str, client: str, delivery: str) -> BridgeSettings:
    flags = {
        "kafka": kafka,
        "topic": topic,
        "kafka_client": client,
        "client_id": topic,
        "delivery": delivery,
    }
    return load(BridgeSettings, PREFIX, flags=flags)


def sink_of(
    kafka: str,
    topic: str,
    client: str,
    delivery: str,
    *,
    stopping: threading.Event | None = None,
    availability: Availability | None = None,
) -> Sink:
    return make_sink(
        settings(kafka, topic, client, delivery),
        availability or Availability("kafka", Log("test")),
        stopping or threading.Event(),
    )


def deliver_patiently(sink: Sink, batch: Batch) -> None:
    """As the pump does."""
    while True:
        try:
            sink.deliver(batch)
        except SinkUnavailableError as error:
            batch = error.remaining or batch
        except BatchTooSlowError:
            # An outage that is longer than a transaction has; nothing of it was delivered.
            continue
        else:
            return
