"""The position topic with librdkafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # its stub

from bridge.kafka.errors import SinkUnavailableError
from bridge.kafka.librdkafka.producer import (
    OPEN_TIMEOUT_S,
    POLL_S,
    KafkaWait,
    client_settings,
    unavailable,
)
from bridge.kafka.position_topic import PARTITIONS, OwnRecords

if TYPE_CHECKING:
    import threading

    from bridge.kafka.position_topic import Last, Take
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability

_NO_LEADER_YET: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


class RdPositions:
    """The position topic of one bridge.

    Args:
        settings: brokers, topics, client id.
        kafka: notified when Kafka does not answer.
        stopping: ends a wait that Kafka does not answer.
    """

    def __init__(
        self, settings: BridgeSettings, kafka: Availability, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._stopping = stopping
        self._topic = settings.position_topic
        self._last_error = ""
        self.own = OwnRecords(settings.client_id)

    def require(self, topics: dict[str, int]) -> None:
        """See that the topic is there, and make it where it is not: it is the bridges' own.

        Args:
            topics: those that there are, with their number of partitions.

        Raises:
            SinkUnavailableError: it cannot be made.
        """
        if self._topic not in topics:
            configuration: Any = {**client_settings(self._settings), "error_cb": self._on_error}
            admin = AdminClient(configuration)
            keep = str(int(self._settings.session_expiry * 1000))
            wanted = NewTopic(self._topic, PARTITIONS, config={"retention.ms": keep})
            try:
                admin.create_topics([wanted])[self._topic].result(OPEN_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise self._not_made(admin, error.args[0].str()) from error
            except TimeoutError as error:
                raise self._not_made(admin, f"{self._settings.brokers} is silent") from error
        self.own.placed(topics.get(self._topic, PARTITIONS))

    def last(self) -> Last:
        """What was written last under this client id, as far as it was committed.

        Raises:
            SinkUnavailableError: Kafka does not answer.
            SinkClosingError: the bridge is stopping.
        """
        self._last_error = ""
        consumer = self._consumer("read_committed")
        try:
            return self.own.newest(_RdReader(self, consumer))
        except KafkaException as error:
            if self._last_error:
                why = f"{self._settings.brokers}: {self._last_error}"
                raise SinkUnavailableError(why) from error
            raise unavailable(self._settings, error) from error
        finally:
            consumer.close()

    def _consumer(self, isolation: str) -> Any:
        return Consumer(
            {
                **client_settings(self._settings),
                "group.id": self._settings.client_id,
                "isolation.level": isolation,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "error_cb": self._on_error,
            }
        )

    def _not_made(self, admin: Any, why: str) -> SinkUnavailableError:
        admin.poll(0)
        return SinkUnavailableError(
            f"topic {self._topic} cannot be made: {self._last_error or why}"
        )

    def _on_error(self, error: Any) -> None:
        """Why a request gets no answer; the request itself only tells that time ran out."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 the library's own name
            self._last_error = error.str()

    def watermarks(self, partition: int) -> tuple[int, int]:
        """The partition's first offset, and the one behind its last."""
        where = TopicPartition(self._topic, partition)
        # A reader of committed records is given the end before the first open transaction, which
        # may be another bridge's, and behind which records of ours may be.
        consumer = self._consumer("read_uncommitted")
        try:
            return self._ask_watermarks(consumer, where)
        finally:
            consumer.close()

    def _ask_watermarks(self, consumer: Any, where: TopicPartition) -> tuple[int, int]:
        wait = KafkaWait(self._settings, self._kafka, self._stopping)
        while True:
            try:
                low, high = consumer.get_watermark_offsets(where, timeout=OPEN_TIMEOUT_S)
            except KafkaException as error:
                consumer.poll(0)
                # A topic that was just made has no leaders yet.
                if error.args[0].code() not in _NO_LEADER_YET:
                    raise
                wait.check("the leader of the position topic awaits election")
                self._stopping.wait(POLL_S)
            else:
                return low, high

    def read(self, consumer: Any, partition: int, between: tuple[int, int], take: Take) -> None:
        """Give what is between two offsets, in order."""
        position, end = between
        consumer.assign([TopicPartition(self._topic, partition, position)])
        wait = KafkaWait(self._settings, self._kafka, self._stopping)
        while position < end:
            message = consumer.poll(POLL_S)
            if message is None:
                # Somebody's open transaction may hide what was committed after it began.
                wait.check("the end of the position topic awaits confirmation")
                continue
            error = message.error()
            if error is None:
                position = message.offset() + 1
                if position <= end:
                    headers = dict(message.headers() or ())
                    take(message.key(), message.value(), headers, message.timestamp()[1])
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 the library's own name
                # Behind the last record is a commit marker, which no reader is given.
                position = max(position, message.offset())
            else:
                raise KafkaException(error)


class _RdReader:
    """See `bridge.kafka.position_topic.Reader`."""

    def __init__(self, positions: RdPositions, consumer: Any) -> None:
        self._positions = positions
        self._consumer = consumer

    def ends(self, partition: int) -> tuple[int, int]:
        """See `Reader.ends`."""
        return self._positions.watermarks(partition)

    def read(self, partition: int, start: int, end: int, take: Take) -> None:
        """See `Reader.read`."""
        self._positions.read(self._consumer, partition, (start, end), take)
