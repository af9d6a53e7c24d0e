"""Kafka's own admin client, in Spark's Java: asks about one topic."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from py4j.protocol import Py4JJavaError

from aggregator.kafka.availability import Extent, Presence
from aggregator.kafka.java import java_options, java_refusal, java_words
from isotherm.kafka.clients import files_of_access
from isotherm.kafka.errors import KafkaAccessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isotherm.kafka.access import KafkaAccess

_TIMEOUT_MS: Final = "3000"
_UNRESOLVED: Final = "bootstrap"
"""In what Kafka says where no broker's name is found, which passes by itself."""


class AdminTopic:
    """A topic, as Kafka's admin client knows it; each question is a connection of its own.

    Args:
        view: Spark's Java side.
        access: the way into Kafka.
        topic: the topic.
    """

    def __init__(self, view: Any, access: KafkaAccess, topic: str) -> None:
        self._view = view
        self._access = access
        self._topic = topic

    def look(self) -> Presence:
        """See `aggregator.kafka.availability.Look`."""
        try:
            with self._admin() as admin:
                admin.describeTopics([self._topic]).allTopicNames().get()
        except Py4JJavaError as error:
            refused = java_refusal(_causes(error))
            if refused is not None:
                raise KafkaAccessError(refused) from error
            missing = "UnknownTopicOrPartitionException" in str(error)
            return Presence.NO_TOPIC if missing else Presence.NO_BROKER
        return Presence.READY

    def survey(self) -> Extent | None:
        """See `aggregator.kafka.availability.Survey`."""
        spec = self._view.org.apache.kafka.clients.admin.OffsetSpec
        try:
            with self._admin() as admin:
                found = admin.describeTopics([self._topic]).allTopicNames().get().get(self._topic)
                partitions = [entry.partition() for entry in found.partitions()]
                return Extent(
                    topic_id=found.topicId().toString(),
                    first=self._offsets(admin, partitions, spec.earliest()),
                    end=self._offsets(admin, partitions, spec.latest()),
                )
        except (Py4JJavaError, KafkaAccessError):
            return None

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        properties = self._view.java.util.Properties()
        with files_of_access():
            access = java_options(self._access)
        options = {
            **access,
            "default.api.timeout.ms": _TIMEOUT_MS,
            "request.timeout.ms": _TIMEOUT_MS,
        }
        for key, value in options.items():
            properties.setProperty(key, value)
        try:
            admin = self._view.org.apache.kafka.clients.admin.AdminClient.create(properties)
        except Py4JJavaError as error:
            said = "; ".join(map(java_words, _causes(error)))
            if _UNRESOLVED in said:
                raise
            # Such as a kind of key that OpenSSL knows and Java does not.
            raise KafkaAccessError(
                f"Java cannot use kafka.cert_file, kafka.key_file: {said}"
            ) from error
        try:
            yield admin
        finally:
            admin.close()

    def _offsets(self, admin: Any, partitions: list[int], spec: Any) -> dict[int, int]:
        asked = self._view.java.util.HashMap()
        for partition in partitions:
            asked[self._view.org.apache.kafka.common.TopicPartition(self._topic, partition)] = spec
        answer = admin.listOffsets(asked).all().get()
        return {where.partition(): answer[where].offset() for where in answer}


def _causes(error: Py4JJavaError) -> Iterator[str]:
    cause = error.java_exception
    while cause is not None:
        yield str(cause.toString())
        cause = cause.getCause()
