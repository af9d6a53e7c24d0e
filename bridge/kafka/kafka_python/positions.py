"""Reading back the position topic with kafka-python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from bridge.kafka.errors import SinkClosingError, SinkUnavailableError
from bridge.kafka.kafka_python.producer import client_settings, unavailable, words
from bridge.kafka.positions import (
    MOST,
    PARTITIONS,
    POSITION_BYTES,
    Last,
    moved,
    newest,
    position_partition,
)
from bridge.kafka.session_notes import HEADER

if TYPE_CHECKING:
    import threading

    from bridge.settings import BridgeSettings

_POLL_MS: Final = 250
_FIRST_LOOK: Final = 2_000
_FURTHER: Final = 8
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
        self._key = settings.client_id.encode()
        self.partition = -1
        """Of this client id's records; known after `require`."""
        self.elsewhere = False
        """Whether what `last` gave stands in other partitions."""
        self._partitions = 0
        self._in_place = 0
        """With how many partitions the newest was found to stand in its own."""

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
        self._partitions = sum(len(topic["partitions"]) for topic in described)
        self.partition = position_partition(self._settings.client_id, self._partitions)

    def last(self) -> Last:
        """What stands there under this client id; see `bridge.kafka.librdkafka.positions`.

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
                return self._newest(consumer)
            finally:
                consumer.close()
        except KafkaError as error:
            raise unavailable(self._settings, error) from error

    def _newest(self, consumer: Any) -> Last:
        if not moved(self._partitions) or self._in_place == self._partitions:
            self.elsewhere = False
            return self._last_in(consumer, self.partition)[1]
        each = [self._last_in(consumer, one) for one in range(self._partitions)]
        found, self.elsewhere = newest(each, self.partition)
        if not self.elsewhere:
            self._in_place = self._partitions
        return found

    def _last_in(self, consumer: Any, partition: int) -> tuple[int, Last]:
        """What stands in one partition, and when its last record was written."""
        where = TopicPartition(self._settings.position_topic, partition)
        consumer.assign([where])
        low = consumer.beginning_offsets([where])[where]
        # Without a group, end_offsets of a reader of committed records stop before open
        # transactions; those of all records do not.
        high = self._high_watermark(where)
        look = _FIRST_LOOK
        while True:
            start = max(low, high - look)
            time, found = self._read(consumer, where, start, high)
            if start == low or len(found.positions) >= MOST * POSITION_BYTES:
                return time, found
            look *= _FURTHER

    def _high_watermark(self, where: Any) -> int:
        consumer = KafkaConsumer(**client_settings(self._settings), group_id=None)
        try:
            return int(consumer.end_offsets([where])[where])
        finally:
            consumer.close()

    def _read(self, consumer: Any, where: Any, start: int, end: int) -> tuple[int, Last]:
        life = session = b""
        time = 0
        positions: list[bytes] = []
        consumer.seek(where, start)
        # Behind the last record stands a commit marker, which `position` counts once it is passed.
        while consumer.position(where) < end:
            if self._stopping.is_set():
                raise SinkClosingError("the position topic is not read")
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                for record in records:
                    if record.key == self._key:
                        headers = dict(record.headers)
                        life = headers.get("life") or b""
                        session = headers.get(HEADER) or session
                        positions.append(record.value or b"")
                        time = max(0, record.timestamp)
        last = Last(life, b"".join(positions)[-MOST * POSITION_BYTES :], session, time / 1000)
        return time, last
