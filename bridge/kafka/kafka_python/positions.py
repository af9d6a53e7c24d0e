"""The position topic with kafka-python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from bridge.kafka.errors import SinkClosingError, SinkUnavailableError
from bridge.kafka.kafka_python.producer import client_settings, unavailable, words
from bridge.kafka.position_topic import PARTITIONS, OwnRecords

if TYPE_CHECKING:
    import threading

    from bridge.kafka.position_topic import Last, Take
    from bridge.settings import BridgeSettings

_POLL_MS: Final = 250
_AS_THE_CLUSTER_SAYS: Final = -1
"""How many copies: the brokers' default.replication.factor (KIP-464)."""


class KpPositions:
    """The position topic of one bridge.

    Args:
        settings: brokers, topics, client id.
        stopping: ends a wait that Kafka does not answer.
    """

    def __init__(self, settings: BridgeSettings, stopping: threading.Event) -> None:
        self._settings = settings
        self._stopping = stopping
        self.own = OwnRecords(settings.client_id)

    def require(self, topics: set[str]) -> None:
        """See that the topic is there, and make it where it is not: it is the bridges' own.

        Raises:
            SinkUnavailableError: it cannot be made.
        """
        name = self._settings.position_topic
        try:
            with KafkaAdminClient(**client_settings(self._settings)) as admin:
                if name not in topics:
                    keep = str(int(self._settings.session_expiry * 1000))
                    wanted = NewTopic(
                        name,
                        PARTITIONS,
                        _AS_THE_CLUSTER_SAYS,
                        topic_configs={"retention.ms": keep},
                    )
                    admin.create_topics([wanted])
                    admin.wait_for_topics([name], timeout_ms=5_000)
                described: Any = admin.describe_topics([name])
        except TopicAlreadyExistsError as error:
            raise SinkUnavailableError(f"topic {name} is being made") from error
        except KafkaError as error:
            raise SinkUnavailableError(f"topic {name} cannot be made: {words(error)}") from error
        self.own.placed(sum(len(topic["partitions"]) for topic in described))

    def last(self) -> Last:
        """What was written last under this client id, as far as it was committed.

        Raises:
            SinkUnavailableError: Kafka does not answer.
            SinkClosingError: the bridge is stopping.
        """
        try:
            consumer = KafkaConsumer(
                **client_settings(self._settings),
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                group_id=None,
            )
            try:
                return self.own.newest(KpReader(self._settings, consumer, self._stopping))
            finally:
                consumer.close()
        except KafkaError as error:
            raise unavailable(self._settings, error) from error


class KpReader:
    """See `bridge.kafka.position_topic.Reader`.

    Args:
        settings: brokers, topics.
        consumer: without a group; it need not be assigned anything.
        stopping: ends a wait that Kafka does not answer.
        committed: whether the consumer reads committed records alone.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        consumer: Any,
        stopping: threading.Event,
        *,
        committed: bool = True,
    ) -> None:
        self._committed = committed
        self._settings = settings
        self._consumer = consumer
        self._stopping = stopping

    def ends(self, partition: int) -> tuple[int, int]:
        """See `Reader.ends`."""
        where = TopicPartition(self._settings.position_topic, partition)
        low = int(self._consumer.beginning_offsets([where])[where])
        if not self._committed:
            return low, int(self._consumer.end_offsets([where])[where])
        # Without a group, end_offsets of a reader of committed records stop before open
        # transactions; those of all records do not.
        consumer = KafkaConsumer(**client_settings(self._settings), group_id=None)
        try:
            return low, int(consumer.end_offsets([where])[where])
        finally:
            consumer.close()

    def read(self, partition: int, start: int, end: int, take: Take) -> None:
        """See `Reader.read`."""
        where = TopicPartition(self._settings.position_topic, partition)
        self._consumer.assign([where])
        self._consumer.seek(where, start)
        # Behind the last record is a commit marker, which `position` counts once it is passed.
        while self._consumer.position(where) < end:
            if self._stopping.is_set():
                raise SinkClosingError("the position topic is not read")
            for records in self._consumer.poll(timeout_ms=_POLL_MS).values():
                for record in records:
                    if record.offset < end:
                        take(record.key, record.value, dict(record.headers), record.timestamp)
