"""Snapshots in Kafka, for pages and programs that want them as they come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from aggregator.analytics.snapshot import to_json
from aggregator.errors import SinkError
from aggregator.sinks.base import SinkContext, SinkKind
from isotherm.kafka.writer import KafkaWriter
from isotherm.mqtt.topics import ANALYTICS_SUFFIX, KAFKA_READINGS
from isotherm.settings.table import optional, setting, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.analytics.snapshot import Snapshot
    from isotherm.kafka.access import KafkaAccess

_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class KafkaSinkSettings:
    """The rows of the topic with snapshots."""

    analytics: str | None = setting(
        "kafka.analytics_topic",
        optional(text),
        default=None,
        flag="--analytics-topic",
        metavar="TOPIC",
        help="Write each snapshot to this topic too, a record for each scope, such as "
        f"{KAFKA_READINGS}{ANALYTICS_SUFFIX}. Default: nowhere.",
    )


def records(snapshot: Snapshot) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of the records of one snapshot: one for each scope, which is its key.

    Each value is a whole snapshot with that scope alone, so that a reader who wants one scope
    needs one record, and compaction keeps the last of each.
    """
    for name, analytics in snapshot.scopes.items():
        yield name.encode(), to_json(replace(snapshot, scopes={name: analytics})).encode()


class KafkaSink(KafkaWriter):
    """Writes snapshots to a topic, with acks=all. A snapshot that comes again is written again.

    Args:
        access: the way into Kafka.
        topic: must exist.
    """

    def __init__(self, access: KafkaAccess, topic: str) -> None:
        super().__init__(access, topic)
        self._known = False

    def emit(self, snapshot: Snapshot) -> None:
        """Write its records, and wait for Kafka.

        Raises:
            SinkError: it did not take them within some seconds, or has no such topic.
            KafkaAccessError: a file of the way into Kafka cannot be used.
        """
        self._failures = []
        if self._producer is None:
            timeout_ms = int(_TIMEOUT_S * 1000)
            self._open({"enable.idempotence": True, "message.timeout.ms": timeout_ms})
        try:
            self._require_topic()
            for key, value in records(snapshot):
                self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
            left = self._producer.flush(2 * _TIMEOUT_S)
        except KafkaException as error:
            # `_heard` gets the reason here.
            self._producer.poll(0)
            raise self._error(error.args[0].str()) from error
        if left or self._failures:
            self._known = False
            raise self._error(self._failures[0].str() if self._failures else "no answer")
        self._heard.forget()

    def close(self) -> None:
        """Nothing waits: `emit` does."""

    def _require_topic(self) -> None:
        if not self._known:
            self._known = self._topic in self._producer.list_topics(timeout=_TIMEOUT_S).topics
            if not self._known:
                raise SinkError(
                    f"Kafka at {self._access.brokers} has no topic {self._topic}; create it"
                )

    def _error(self, said: str) -> SinkError:
        said = self._heard.why(said)
        if self._heard.refusal is not None:
            # The next one reads the files again.
            self._producer = None
            self._heard.forget()
        return SinkError(f"topic {self._topic} at {self._access.brokers} does not take it: {said}")


def make(settings: KafkaSinkSettings, context: SinkContext) -> KafkaSink | None:
    """The topic with snapshots; None where it is not asked for."""
    return None if settings.analytics is None else KafkaSink(context.access, settings.analytics)


def _topics(settings: KafkaSinkSettings) -> Iterator[tuple[str, str]]:
    if settings.analytics is not None:
        yield settings.analytics, "leave --analytics-topic out"


SINKS: Final = (SinkKind("kafka", KafkaSinkSettings, make, topics=_topics),)
