"""The sink on librdkafka (confluent-kafka): whole batches cross into C at once."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from bridge.errors import SinkClosingError, SinkUnavailableError
from bridge.records import Batch
from bridge.sink import Refusal

if TYPE_CHECKING:
    import threading

    from bridge.availability import Availability
    from bridge.records import Record
    from bridge.settings import BridgeSettings

_POLL_S: Final = 0.25
_PATIENCE_S: Final = 3.0
_OPEN_TIMEOUT_S: Final = 5.0
_UNFIXABLE: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}
)


class LibrdkafkaSink:
    """See `bridge.sink.Sink`.

    Args:
        settings: brokers, topics, client id.
        kafka: told when Kafka does not answer during a delivery.
        stopping: gives up a delivery that Kafka does not answer.
    """

    def __init__(
        self, settings: BridgeSettings, kafka: Availability, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._stopping = stopping
        self._producer: Any = None
        self._failed: list[tuple[Any, bytes, bytes]] = []

    def open(self) -> None:
        """See `Sink.open`."""
        if self._producer is None:
            self._producer = self._make_producer()
        try:
            topics = self._producer.list_topics(timeout=_OPEN_TIMEOUT_S).topics
        except KafkaException as error:
            raise SinkUnavailableError(
                f"{self._settings.brokers}: {error.args[0].str()}"
            ) from error
        for topic in (self._settings.topic, self._settings.dead_letter_topic):
            if topic not in topics:
                raise SinkUnavailableError(f"topic {topic} does not exist; create it")

    def deliver(self, batch: Batch) -> list[Refusal]:
        """See `Sink.deliver`."""
        if self._producer is None:
            self.open()
        failed: list[tuple[Any, bytes, bytes]] = []
        self._failed = failed
        self._produce_readings(batch.readings)
        for record in batch.dead_letters:
            self._producer.produce(
                self._settings.dead_letter_topic,
                record.value,
                record.key,
                headers=list(record.headers),
                on_delivery=self._on_failure,
            )
        self._wait()
        return self._sort_out(batch, failed) if failed else []

    def close(self) -> None:
        """See `Sink.close`."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(_POLL_S)
            self._producer = None

    def _make_producer(self) -> Any:
        quiet = logging.getLogger("isotherm.librdkafka")
        quiet.setLevel(logging.CRITICAL)
        return Producer(
            {
                "bootstrap.servers": ",".join(map(str, self._settings.kafka)),
                "client.id": self._settings.client_id,
                "acks": "all",
                "enable.idempotence": True,
                # For ever: a record whose time runs out is one whose fate nobody knows.
                "message.timeout.ms": 0,
                "delivery.report.only.error": True,
                # The partitioner of Java and kafka-python, so that a guid keeps its partition
                # whichever client writes it.
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 2_000_000,
                "topic.metadata.refresh.interval.ms": 30_000,
            },
            logger=quiet,
        )

    def _produce_readings(self, records: list[Record]) -> None:
        if not records:
            return
        messages: list[dict[str, Any]] = [
            {"key": key, "value": value} for key, value, _headers in records
        ]
        queued = self._producer.produce_batch(
            self._settings.topic, messages, on_delivery=self._on_failure
        )
        if queued != len(messages):
            self._failed += [
                (message["_error"], message["key"], message["value"])
                for message in messages
                if "_error" in message
            ]

    def _on_failure(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append((error, message.key(), message.value()))

    def _wait(self) -> None:
        began = time.monotonic()
        while left := self._producer.flush(_POLL_S):
            if self._stopping.is_set():
                raise SinkClosingError(f"{left} records are not confirmed by Kafka")
            if time.monotonic() - began > _PATIENCE_S:
                self._kafka.lost(f"{left} records await confirmation by {self._settings.brokers}")

    def _sort_out(self, batch: Batch, failed: list[tuple[Any, bytes, bytes]]) -> list[Refusal]:
        """Deliver alone what Kafka refused in company: a batch may be refused for one of its own.

        Raises:
            SinkUnavailableError: with all that is to be delivered again.
        """
        if any(error.fatal() for error, _key, _value in failed):
            self.close()
        errors = {(key, value): error for error, key, value in failed}
        readings = [record for record in batch.readings if record[:2] in errors]
        letters = [record for record in batch.dead_letters if record[:2] in errors]
        unfixable = all(error.code() in _UNFIXABLE for error in errors.values())
        if letters or not unfixable or self._producer is None:
            why = next(iter(errors.values())).str()
            raise SinkUnavailableError(f"Kafka: {why}", Batch(readings, letters))
        refused: list[Refusal] = []
        for position, record in enumerate(readings):
            alone: list[tuple[Any, bytes, bytes]] = []
            self._failed = alone
            self._produce_readings([record])
            self._wait()
            if alone and alone[0][0].code() not in _UNFIXABLE:
                again = [refusal.record for refusal in refused] + readings[position:]
                raise SinkUnavailableError(f"Kafka: {alone[0][0].str()}", Batch(again, []))
            if alone:
                refused.append(Refusal(record, alone[0][0].str()))
        return refused
