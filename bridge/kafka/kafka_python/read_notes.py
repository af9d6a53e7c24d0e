"""Reads what bridges noted of their sessions, with kafka-python, which is always installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from bridge.kafka.find_notes import Found, find_notes
from bridge.kafka.kafka_python.positions import KpReader
from bridge.kafka.kafka_python.producer import client_settings, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from threading import Event

    from bridge.settings import BridgeSettings


def read_notes(settings: BridgeSettings, client_ids: Iterable[str], stopping: Event) -> Found:
    """What the last records under these client ids say.

    Args:
        settings: brokers and topics.
        client_ids: of sessions.
        stopping: ends it.

    Raises:
        SinkUnavailableError: Kafka does not answer.
        SinkClosingError: the bridge is stopping.
    """
    try:
        consumer = KafkaConsumer(
            **client_settings(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            group_id=None,
        )
        try:
            numbers = consumer.partitions_for_topic(settings.position_topic)
            if not numbers:
                return Found({})
            reader = KpReader(settings, consumer, stopping, committed=False)
            return find_notes(reader, client_ids, len(numbers))
        finally:
            consumer.close()
    except KafkaError as error:
        raise unavailable(settings, error) from error
