"""A librdkafka producer that takes whole batches, and remembers what failed."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from bridge.credentials import kafka_access
from bridge.kafka.errors import SinkClosingError, SinkUnavailableError
from bridge.kafka.sink import held_back
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    import threading

    from bridge.records import Batch, Record
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability

POLL_S: Final = 0.25
PATIENCE_S: Final = 3.0
OPEN_TIMEOUT_S: Final = 5.0
REQUEST_BYTES: Final = 1_000_000
_UNFIXABLE: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}
)
_PURGED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001


class Failure(NamedTuple):
    """A record that was not delivered."""

    error: Any
    key: bytes
    value: bytes
    topic: str
    partition: int = -1

    @property
    def unfixable(self) -> bool:
        """Whether no later try can do better, with what came together with it."""
        return self.error.code() in _UNFIXABLE

    @property
    def too_large(self) -> bool:
        """Whether it, or what came together with it, is above what the topic takes."""
        return bool(self.error.code() == KafkaError.MSG_SIZE_TOO_LARGE)

    @property
    def size(self) -> int:
        """Bytes; what is as large as a request may be was alone in its own."""
        return len(self.key or b"") + len(self.value or b"")


class RdProducer:
    """Wraps `confluent_kafka.Producer`; used by one thread.

    Args:
        settings: brokers, topics, client id.
        kafka: notified when Kafka does not answer during a wait.
        stopping: ends a wait that Kafka does not answer.
        more: configuration beside what every sink has.
        request_bytes: how much may go to one partition together.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        kafka: Availability,
        stopping: threading.Event,
        more: dict[str, Any] | None = None,
        request_bytes: int = REQUEST_BYTES,
    ) -> None:
        self._settings = settings
        self.request_bytes = request_bytes
        self._kafka = kafka
        self._stopping = stopping
        self.failures: list[Failure] = []
        self._abandoned = False
        self._last_error = ""
        # It would repeat itself while Kafka is away; `kafka` says it once.
        quiet = logging.getLogger("isotherm.librdkafka")
        quiet.setLevel(logging.CRITICAL + 1)
        self.raw: Any = Producer(
            {
                **client_settings(settings),
                "acks": "all",
                "enable.idempotence": True,
                "delivery.report.only.error": True,
                # The partitioner of Java and kafka-python, so that a guid keeps its partition
                # whichever client writes it.
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 2_000_000,
                "batch.size": request_bytes,
                "topic.metadata.refresh.interval.ms": 30_000,
                "error_cb": self._on_error,
                **(more or {}),
            },
            logger=quiet,
        )

    def topics(self) -> dict[str, int]:
        """The topics that there are, with their number of partitions.

        Raises:
            SinkUnavailableError: Kafka does not answer.
        """
        try:
            found = self.raw.list_topics(timeout=OPEN_TIMEOUT_S).topics
        except KafkaException as error:
            # The error knows that it took too long, `_on_error` gets why.
            self.raw.poll(0)
            why = (
                self._last_error
                or f"{error.args[0].str()}; {kafka_access(self._settings).suspects()}"
            )
            raise SinkUnavailableError(f"{self._settings.brokers}: {why}") from error
        return {name: len(topic.partitions) for name, topic in found.items()}

    def require_topics(self) -> None:
        """See that the topics of readings and dead letters are there.

        Raises:
            SinkUnavailableError: Kafka does not answer, or names the topic that is missing.
        """
        found = self.topics()
        for topic in (self._settings.topic, self._settings.dead_letter_topic):
            if topic not in found:
                raise SinkUnavailableError(f"topic {topic} does not exist; create it", refused=True)

    def send(self, batch: Batch) -> None:
        """Queue a batch; `failures` begins anew."""
        self.failures = []
        self.send_readings(batch.readings)
        for record in batch.dead_letters:
            self.send_one(self._settings.dead_letter_topic, record)

    def send_readings(self, records: list[Record]) -> None:
        """Queue readings."""
        if not records:
            return
        messages: list[dict[str, Any]] = [
            {"key": key, "value": value} for key, value, _headers in records
        ]
        queued = self.raw.produce_batch(
            self._settings.topic, messages, on_delivery=self._on_failure
        )
        if queued != len(messages):
            self.failures += [
                Failure(message["_error"], message["key"], message["value"], self._settings.topic)
                for message in messages
                if "_error" in message
            ]

    def send_one(self, topic: str, record: Record, partition: int = -1) -> None:
        """Queue one record with its headers; -1: the partition follows from the key."""
        wait: KafkaWait | None = None
        while True:
            try:
                self.raw.produce(
                    topic,
                    record.value,
                    record.key,
                    partition,
                    headers=list(record.headers),
                    on_delivery=self._on_failure,
                )
            except BufferError:
                # No batch is as large as the queue; what the last one left there goes first.
                wait = wait or KafkaWait(self._settings, self._kafka, self._stopping)
                wait.check("records await a place in the queue")
                self.raw.poll(POLL_S)
            except KafkaException as error:
                # Above message.max.bytes it is refused here and now, and not reported again.
                failure = Failure(error.args[0], record.key, record.value, topic)
                if not failure.unfixable:
                    raise
                self.failures.append(failure)
                return
            else:
                return

    def wait(self) -> None:
        """Until Kafka confirmed or refused all that is queued.

        Raises:
            SinkClosingError: the bridge is stopping, and Kafka does not answer.
            KafkaException: the producer is of no use any more, for instance since it is fenced.
        """
        wait = KafkaWait(self._settings, self._kafka, self._stopping)
        while left := self._flush():
            wait.check(f"{left} records await confirmation")

    def require_none_failed(self) -> None:
        """See that nothing that was sent failed.

        Raises:
            KafkaException: why the first did.
        """
        for failure in self.failures:
            raise KafkaException(failure.error)

    @property
    def too_large_together(self) -> bool:
        """Whether a topic refused what came together, and perhaps would take it in pieces."""
        # Where one alone failed for a partition, or one fills a request, nothing came with it.
        places = Counter(
            (failure.topic, failure.partition)
            for failure in self.failures
            if failure.too_large and failure.size < self.request_bytes
        )
        return any(count > 1 for count in places.values())

    def held_back(self, batch: Batch) -> SinkUnavailableError | None:
        """The error for a batch of which nothing failed by itself but dead letters."""
        failures = [failure for failure in self.failures if failure.error.code() not in _PURGED]
        topic = self._settings.dead_letter_topic
        if {failure.topic for failure in failures} != {topic}:
            return None
        too_large = any(failure.too_large for failure in failures)
        return held_back(topic, failures[0].error.str(), batch, too_large=too_large)

    def abandon(self) -> None:
        """Close it; what is queued is not sent."""
        # In a producer with a fatal error the reports about what is purged cannot be looked at, and
        # it refuses to flush.
        self._abandoned = True
        with contextlib.suppress(KafkaException):
            self.raw.purge()
            self._flush()

    def _flush(self) -> int:
        """How many records are left after `POLL_S` seconds."""
        try:
            return int(self.raw.flush(POLL_S))
        except SystemError as error:
            # confluent-kafka raises a fatal error out of its callback for errors, and may then
            # call the one for reports with that exception set, for which Python blames us.
            origin: BaseException | None = error
            while isinstance(origin, SystemError):
                origin = origin.__cause__
            if origin is None:
                # It was lost on the way.
                lost = KafkaError(KafkaError._FATAL, str(error), fatal=True)  # noqa: SLF001 the same
                raise KafkaException(lost) from error
            raise origin from None

    def _on_error(self, error: Any) -> None:
        """What librdkafka meets in the background, and gets over by itself or not."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 the library's own name
            return
        refused = refusal("kafka", error.str())
        self._last_error = refused or error.str()
        if refused:
            self._kafka.lost(refused, refused=True)

    def _on_failure(self, error: Any, message: Any) -> None:
        if error is not None and not self._abandoned:
            self.failures.append(
                Failure(error, message.key(), message.value(), message.topic(), message.partition())
            )


class KafkaWait:
    """One wait for Kafka: it ends when the bridge stops; `kafka` is notified of a long one.

    Args:
        settings: for the sentence.
        kafka: notified after `PATIENCE_S` seconds.
        stopping: ends it.
    """

    def __init__(
        self, settings: BridgeSettings, kafka: Availability, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._stopping = stopping
        self._began = time.monotonic()

    def check(self, what: str) -> None:
        """Called again and again while it lasts.

        Raises:
            SinkClosingError: the bridge is stopping.
        """
        if self._stopping.is_set():
            raise SinkClosingError(f"{what} by Kafka")
        if time.monotonic() - self._began > PATIENCE_S:
            self._kafka.lost(f"{what} by {self._settings.brokers}")


def client_settings(settings: BridgeSettings) -> dict[str, Any]:
    """What every librdkafka client of the bridge needs."""
    return {
        "client.id": settings.client_id,
        **kafka_access(settings).librdkafka(),
    }


def unavailable(
    settings: BridgeSettings, error: KafkaException, remaining: Batch | None = None
) -> SinkUnavailableError:
    """What librdkafka says, as ours."""
    return SinkUnavailableError(f"{settings.brokers}: {error.args[0].str()}", remaining)
