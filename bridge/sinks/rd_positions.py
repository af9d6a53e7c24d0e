"""Reading back the position topic with librdkafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # its stub

from bridge.errors import SinkUnavailableError
from bridge.notes import HEADER
from bridge.positions import (
    MOST,
    PARTITIONS,
    POSITION_BYTES,
    Last,
    moved,
    newest,
    position_partition,
)
from bridge.sinks.rd_producer import (
    OPEN_TIMEOUT_S,
    POLL_S,
    Patience,
    client_settings,
    unavailable,
)

if TYPE_CHECKING:
    import threading

    from bridge.settings import BridgeSettings
    from isotherm.log import Availability

_NO_LEADER_YET: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
_FIRST_LOOK: Final = 2_000
_FURTHER: Final = 8


class RdPositions:
    """The position topic of one bridge.

    Args:
        settings: brokers, topics, client id.
        kafka: told when Kafka does not answer.
        stopping: ends a wait that Kafka does not answer.
    """

    def __init__(
        self, settings: BridgeSettings, kafka: Availability, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._stopping = stopping
        self._topic = settings.position_topic
        self._key = settings.client_id.encode()
        self._heard = ""
        self.partition = -1
        """Of this client id's records; known after `require`."""
        self.elsewhere = False
        """Whether what `last` gave stands in other partitions."""
        self._partitions = 0
        self._in_place = 0
        """With how many partitions the newest was found to stand in its own."""

    def require(self, topics: dict[str, int]) -> None:
        """See that the topic is there, and make it where it is not: it is the bridges' own.

        Args:
            topics: those that there are, with their number of partitions.

        Raises:
            SinkUnavailableError: it cannot be made.
        """
        if self._topic not in topics:
            configuration: Any = {**client_settings(self._settings), "error_cb": self._hear}
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
        self._partitions = topics.get(self._topic, PARTITIONS)
        self.partition = position_partition(self._settings.client_id, self._partitions)

    def last(self) -> Last:
        """What stands there under this client id, as far as it was committed.

        Where partitions were added, it may stand in another one than it would now. Whoever opens
        the topic then writes it anew (`bridge.sinks.rd_transactions`), so all partitions are looked
        through until the newest of it stands where it should: at most twice in a life.

        Raises:
            SinkUnavailableError: Kafka does not answer.
            SinkClosingError: the bridge is stopping.
        """
        self._heard = ""
        consumer = self._consumer("read_committed")
        try:
            return self._newest(consumer)
        except KafkaException as error:
            if self._heard:
                why = f"{self._settings.brokers}: {self._heard}"
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
                "error_cb": self._hear,
            }
        )

    def _not_made(self, admin: Any, why: str) -> SinkUnavailableError:
        admin.poll(0)
        return SinkUnavailableError(f"topic {self._topic} cannot be made: {self._heard or why}")

    def _hear(self, error: Any) -> None:
        """Why a request gets no answer; the request itself only tells that time ran out."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 the library's own name
            self._heard = error.str()

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
        low, high = self._watermarks(partition)
        look = _FIRST_LOOK
        while True:
            start = max(low, high - look)
            time, found = self._read(consumer, partition, start, high)
            if start == low or len(found.positions) >= MOST * POSITION_BYTES:
                return time, found
            look *= _FURTHER

    def _watermarks(self, partition: int) -> tuple[int, int]:
        """The partition's first offset, and the one behind its last."""
        where = TopicPartition(self._topic, partition)
        # A reader of committed records is told the end before the first open transaction, which may
        # be another bridge's, and behind which records of ours may stand.
        consumer = self._consumer("read_uncommitted")
        try:
            return self._ask_watermarks(consumer, where)
        finally:
            consumer.close()

    def _ask_watermarks(self, consumer: Any, where: TopicPartition) -> tuple[int, int]:
        patience = Patience(self._settings, self._kafka, self._stopping)
        while True:
            try:
                low, high = consumer.get_watermark_offsets(where, timeout=OPEN_TIMEOUT_S)
            except KafkaException as error:
                consumer.poll(0)
                # A topic that was just made has no leaders yet.
                if error.args[0].code() not in _NO_LEADER_YET:
                    raise
                patience.wear("the leader of the position topic awaits election")
                self._stopping.wait(POLL_S)
            else:
                return low, high

    def _read(self, consumer: Any, partition: int, start: int, end: int) -> tuple[int, Last]:
        life = session = b""
        time = 0
        positions: list[bytes] = []
        consumer.assign([TopicPartition(self._topic, partition, start)])
        patience = Patience(self._settings, self._kafka, self._stopping)
        position = start
        while position < end:
            message = consumer.poll(POLL_S)
            if message is None:
                # Somebody's open transaction may hide what was committed after it began.
                patience.wear("the end of the position topic awaits confirmation")
                continue
            error = message.error()
            if error is None:
                position = message.offset() + 1
                if message.key() == self._key:
                    headers = dict(message.headers() or ())
                    life = headers.get("life") or b""
                    session = headers.get(HEADER) or session
                    positions.append(message.value() or b"")
                    time = max(0, message.timestamp()[1])
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 the library's own name
                # Behind the last record stands a commit marker, which no reader is given.
                position = max(position, message.offset())
            else:
                raise KafkaException(error)
        last = Last(life, b"".join(positions)[-MOST * POSITION_BYTES :], session, time / 1000)
        return time, last
