"""The sink on librdkafka (confluent-kafka), at least once: whole batches cross into C at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from bridge.kafka.errors import RecordsRefusedError, SinkUnavailableError
from bridge.kafka.librdkafka.producer import REQUEST_BYTES, RdProducer, unavailable
from bridge.kafka.limits import RequestSize, SmallerRequestsError, patiently
from bridge.records import Batch

if TYPE_CHECKING:
    import threading

    from bridge.records import Record
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability


class LibrdkafkaSink:
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
        self._producer: RdProducer | None = None
        self._request = RequestSize(REQUEST_BYTES)

    def open(self) -> bytes:
        """See `Sink.open`."""
        self._ready().require_topics()
        return b""

    def deliver(self, batch: Batch) -> None:
        """See `Sink.deliver`."""
        patiently(self._deliver, batch)

    def _deliver(self, batch: Batch) -> None:
        producer = self._ready()
        try:
            producer.send(batch)
            producer.wait()
            if producer.failures:
                self._sort_out(producer, batch)
        except KafkaException as error:
            self.close()
            raise unavailable(self._settings, error, batch) from error

    def close(self) -> None:
        """See `Sink.close`."""
        if self._producer is not None:
            self._producer.abandon()
            self._producer = None

    def _ready(self) -> RdProducer:
        if self._producer is None:
            # For ever: a record whose time runs out is one whose fate nobody knows.
            for_ever = {"message.timeout.ms": 0}
            self._producer = RdProducer(
                self._settings, self._kafka, self._stopping, for_ever, self._request.bytes
            )
        return self._producer

    def _sort_out(self, producer: RdProducer, batch: Batch) -> None:
        """Tell what Kafka refused in company from what it will never take.

        Raises:
            SinkUnavailableError: with all that is to be delivered again.
            SmallerRequestsError: the same.
            RecordsRefusedError: with those that were refused alone, too.
        """
        failures = producer.failures
        failed = {(failure.key, failure.value) for failure in failures}
        rest = Batch(
            [record for record in batch.readings if record[:2] in failed],
            [record for record in batch.dead_letters if record[:2] in failed],
        )
        smaller = producer.too_large_together and self._request.refused()
        if smaller or any(failure.error.fatal() for failure in failures):
            self.close()
        elif rest.readings and all(failure.unfixable for failure in failures):
            self._deliver_alone(producer, rest)
            return
        why = f"Kafka: {failures[0].error.str()}"
        if smaller:
            raise SmallerRequestsError(rest)
        raise producer.held_back(rest) or SinkUnavailableError(why, rest)

    def _deliver_alone(self, producer: RdProducer, rest: Batch) -> None:
        """Deliver the readings of what failed, each alone; then its dead letters.

        What becomes of a letter must not hold up the readings: it waits where it is refused.
        """
        refused: list[tuple[Record, str]] = []
        for index, record in enumerate(rest.readings):
            producer.send(Batch([record], []))
            producer.wait()
            for failure in producer.failures:
                why = failure.error.str()
                if not failure.unfixable:
                    again = [record for record, _why in refused] + rest.readings[index:]
                    raise SinkUnavailableError(f"Kafka: {why}", rest._replace(readings=again))
                refused.append((record, why))
        if refused:
            raise RecordsRefusedError(refused, rest._replace(readings=[]))
        if rest.dead_letters:
            self._deliver(rest._replace(readings=[]))
