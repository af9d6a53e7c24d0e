"""The sink on kafka-python's public API: pure Python, so it runs on every board."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

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
_BLOCK_MS: Final = 5_000
_WEEK_MS: Final = 7 * 86_400_000
_UNFIXABLE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class KafkaPythonSink:
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
        # It repeats itself several times a second while Kafka is away; `kafka` says it once.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)

    def open(self) -> None:
        """See `Sink.open`."""
        brokers = [str(broker) for broker in self._settings.kafka]
        try:
            # The admin client says what is missing; the producer only that time ran out.
            with KafkaAdminClient(
                bootstrap_servers=brokers, bootstrap_timeout_ms=_BLOCK_MS
            ) as admin:
                topics = set(admin.list_topics())
            for topic in (self._settings.topic, self._settings.dead_letter_topic):
                if topic not in topics:
                    raise SinkUnavailableError(f"topic {topic} does not exist; create it")
            if self._producer is None:
                self._producer = self._make_producer(brokers)
        except KafkaError as error:
            raise SinkUnavailableError(f"{self._settings.brokers}: {_words(error)}") from error

    def deliver(self, batch: Batch) -> list[Refusal]:
        """See `Sink.deliver`."""
        if self._producer is None:
            self.open()
        readings, failed = self._send(self._settings.topic, batch.readings)
        letters, failed_letters = self._send(self._settings.dead_letter_topic, batch.dead_letters)
        errors = failed + failed_letters
        if not errors:
            return []
        if letters or not all(isinstance(error, _UNFIXABLE) for error in errors):
            raise SinkUnavailableError(f"Kafka: {_words(errors[0])}", Batch(readings, letters))
        refused: list[Refusal] = []
        # Alone, since a batch may have been refused for one of its records.
        for position, record in enumerate(readings):
            _left, alone = self._send(self._settings.topic, [record])
            if alone and not isinstance(alone[0], _UNFIXABLE):
                again = [refusal.record for refusal in refused] + readings[position:]
                raise SinkUnavailableError(f"Kafka: {_words(alone[0])}", Batch(again, []))
            if alone:
                refused.append(Refusal(record, _words(alone[0])))
        return refused

    def close(self) -> None:
        """See `Sink.close`."""
        if self._producer is not None:
            try:
                self._producer.close(timeout=_POLL_S)
            except KafkaTimeoutError:
                # Records that Kafka does not answer keep close() from its second half; without
                # this, kafka-python tries again when the process ends, and fails with a traceback.
                self._producer._sender.force_close()  # noqa: SLF001 no public way
                self._producer._closed = True  # noqa: SLF001 no public way
            self._producer = None

    def _make_producer(self, brokers: list[str]) -> Any:
        return KafkaProducer(
            bootstrap_servers=brokers,
            client_id=self._settings.client_id,
            acks="all",
            enable_idempotence=True,
            # Said explicitly: kafka-python turns a conflict with a default into a warning.
            retries=2**31 - 1,
            delivery_timeout_ms=_WEEK_MS,
            max_block_ms=_BLOCK_MS,
            bootstrap_timeout_ms=_BLOCK_MS,
            max_request_size=1_048_576,
            batch_size=262_144,
            linger_ms=5,
            metadata_max_age_ms=30_000,
            allow_auto_create_topics=False,
        )

    def _send(self, topic: str, records: list[Record]) -> tuple[list[Record], list[BaseException]]:
        """Send and wait; what failed, and with what error."""
        sent: list[tuple[Record, Any]] = []
        failed: list[tuple[Record, BaseException]] = []
        for record in records:
            try:
                future = self._producer.send(
                    topic, record.value, record.key, headers=list(record.headers)
                )
            except KafkaError as error:
                failed.append((record, error))
            else:
                sent.append((record, future))
        self._wait([future for _record, future in sent])
        failed += [(record, future.exception) for record, future in sent if future.failed()]
        return [record for record, _error in failed], [error for _record, error in failed]

    def _wait(self, futures: list[Any]) -> None:
        began = time.monotonic()
        for done, future in enumerate(futures):
            while not future.is_done:
                try:
                    future.get(timeout=_POLL_S)
                except KafkaError:
                    # A timeout of this look, or the record's own failure, which `_send` sorts out.
                    if self._stopping.is_set() and not future.is_done:
                        left = len(futures) - done
                        raise SinkClosingError(
                            f"{left} records are not confirmed by Kafka"
                        ) from None
                if time.monotonic() - began > _PATIENCE_S and not future.is_done:
                    self._kafka.lost(
                        f"{len(futures) - done} records await confirmation "
                        f"by {self._settings.brokers}"
                    )


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
