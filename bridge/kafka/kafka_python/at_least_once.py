"""The sink on kafka-python, at least once: pure Python, so it runs on every board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.kafka.errors import RecordsRefusedError
from bridge.kafka.kafka_python.producer import (
    REQUEST_BYTES,
    Failure,
    KpProducer,
    not_delivered,
    too_large_together,
    topics,
    unavailable,
    words,
)
from bridge.kafka.limits import RequestSize, SmallerRequestsError, patiently
from bridge.records import Batch

if TYPE_CHECKING:
    import threading

    from bridge.records import Record
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability


class KafkaPythonSink:
    """See `bridge.kafka.sink.Sink`.

    Args:
        settings: brokers, topics, client id.
        kafka: notified when Kafka does not answer during a delivery.
        stopping: gives up a delivery that Kafka does not answer.
    """

    def __init__(
        self, settings: BridgeSettings, kafka: Availability, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._stopping = stopping
        self._producer: KpProducer | None = None
        self._request = RequestSize(REQUEST_BYTES)

    def open(self) -> bytes:
        """See `Sink.open`."""
        topics(self._settings)
        self._ready()
        return b""

    def deliver(self, batch: Batch) -> None:
        """See `Sink.deliver`."""
        patiently(self._deliver, batch)

    def _deliver(self, batch: Batch) -> None:
        failures = self._send(batch)
        if not failures:
            return
        failed = {id(failure.record) for failure in failures}
        readings = [record for record in batch.readings if id(record) in failed]
        letters = [record for record in batch.dead_letters if id(record) in failed]
        if too_large_together(failures, self._request.bytes) and self._request.refused():
            raise SmallerRequestsError(Batch(readings, letters))
        if not readings or not all(failure.unfixable for failure in failures):
            raise not_delivered(self._settings, failures, Batch(readings, letters))
        self._deliver_alone(readings, letters)

    def close(self) -> None:
        """See `Sink.close`."""
        if self._producer is not None:
            self._producer.abandon()
            self._producer = None

    def _ready(self) -> KpProducer:
        if self._producer is None:
            self._producer = KpProducer(
                self._settings,
                self._kafka,
                self._stopping,
                request_bytes=self._request.bytes,
            )
        return self._producer

    def _send(self, batch: Batch) -> list[Failure]:
        """Send a batch; what failed."""
        failures = self._ready().send(batch)
        if failures:
            # An idempotent producer of kafka-python takes one refusal for the end: it fails all
            # that comes after with the same error.
            self.close()
        return failures

    def _deliver_alone(self, readings: list[Record], letters: list[Record]) -> None:
        """Deliver alone what was refused in company: a batch may be refused for one of its own.

        Args:
            readings: those that failed.
            letters: the dead letters that failed with them, perhaps for their sake; they wait.
        """
        refused: list[tuple[Record, str]] = []
        for index, record in enumerate(readings):
            for failure in self._send(Batch([record], [])):
                if not failure.unfixable:
                    again = [record for record, _why in refused] + readings[index:]
                    raise unavailable(self._settings, failure.error, Batch(again, letters))
                refused.append((record, words(failure.error)))
        if refused:
            raise RecordsRefusedError(refused, Batch([], letters))
        if letters:
            self._deliver(Batch([], letters))
