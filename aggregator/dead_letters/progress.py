"""The topic of marks: how far the dead letters of each query have come."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # its stub

from aggregator.dead_letters.letter import NO_MARK, Mark
from aggregator.errors import DeadLetterError, StoppingError
from isotherm.contract.foreign_json import ForeignJsonError, decode_object, natural
from isotherm.kafka.clients import QUIET, client_settings, consumer_settings

if TYPE_CHECKING:
    from collections.abc import Container
    from threading import Event

    from isotherm.kafka.access import KafkaAccess

_TURN_S: Final = 0.25
_ANSWER_S: Final = 5.0
_PATIENCE_S: Final = 40.0
"""Longer than Kafka lets a transaction of another job, which may hide our mark, be open."""
_FIRST_LOOK: Final = 2_000
_FURTHER: Final = 10
_DAY_MS: Final = str(86_400_000)
_MOST_BYTES: Final = 16 << 20
"""Of a mark; one of 10,000 partitions has some 500 kB."""
_MOST_PARTITION: Final = 2**31 - 1


def mark_record(query_id: str, mark: Mark) -> tuple[bytes, bytes]:
    """Value (JSON) and key of a mark."""
    return json.dumps(mark._asdict()).encode(), query_id.encode()


def parse_mark(value: bytes | None) -> Mark | None:
    """The mark in a record's value; None where it is none of ours."""
    try:
        found = decode_object(value or b"", max_bytes=_MOST_BYTES)
        offsets, aside = (_offsets(found.get(name, {})) for name in ("offsets", "aside"))
        return Mark(_whole(found["batch_id"], -1), offsets, aside)
    except (ForeignJsonError, ValueError, LookupError, AttributeError):
        return None


def _offsets(found: Any) -> dict[int, int]:
    return {_partition(name): _whole(offset, 0) for name, offset in found.items()}


def _partition(name: str) -> int:
    number = natural(name, _MOST_PARTITION)
    if number is None:
        raise ValueError(name)
    return number


def _whole(value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 63:
        raise ValueError(value)
    return value


class Marks:
    """The topic of marks, which is ours; the last mark of a query says all.

    Args:
        access: the way into Kafka.
        topic: its name.
        stop: ends a wait for Kafka.
    """

    def __init__(self, access: KafkaAccess, topic: str, stop: Event) -> None:
        self._access = access
        self.topic = topic
        self._stop = stop
        self._where = TopicPartition(topic, 0)

    def require(self, topics: Container[str]) -> None:
        """Make the topic where it is not.

        Args:
            topics: those that there are.

        Raises:
            DeadLetterError: it cannot be made.
        """
        if self.topic in topics:
            return
        admin = AdminClient(client_settings(self._access), logger=QUIET)
        # Compaction needs closed segments, else every mark ever written is read at a start.
        config = {"cleanup.policy": "compact", "segment.ms": _DAY_MS}
        wanted = NewTopic(self.topic, 1, config=config)
        try:
            admin.create_topics([wanted])[self.topic].result(_ANSWER_S)
        except (KafkaException, TimeoutError) as error:
            if getattr(error.args[0], "code", int)() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise DeadLetterError(f"topic {self.topic} cannot be made: {error}") from error

    def last(self, query_id: str) -> Mark:
        """A query's last mark that was committed.

        Raises:
            KafkaException: Kafka does not answer.
            DeadLetterError: another job's transaction hides what was written last.
            StoppingError: the person asked for the end.
        """
        low, high = self._bounds()
        consumer = Consumer(
            consumer_settings(self._access, "read_committed") | {"enable.partition.eof": True},
            logger=QUIET,
        )
        try:
            look = _FIRST_LOOK
            while True:
                start = max(low, high - look)
                found = self._read(consumer, query_id.encode(), start, high)
                if found is not None or start == low:
                    return found or NO_MARK
                look *= _FURTHER
        finally:
            consumer.close()

    def _bounds(self) -> tuple[int, int]:
        # Who reads committed records is told an end before the first open transaction, which may
        # be another job's, and behind which our mark may stand.
        consumer: Any = Consumer(consumer_settings(self._access, "read_uncommitted"), logger=QUIET)
        deadline = time.monotonic() + _ANSWER_S
        try:
            while True:
                try:
                    low, high = consumer.get_watermark_offsets(self._where, _ANSWER_S)
                except KafkaException:
                    # A topic that was just made has no leader yet.
                    if time.monotonic() > deadline or self._stop.wait(_TURN_S):
                        raise
                else:
                    return low, high
        finally:
            consumer.close()

    def _read(self, consumer: Any, key: bytes, start: int, end: int) -> Mark | None:
        found = None
        consumer.assign([TopicPartition(self.topic, 0, start)])
        deadline = time.monotonic() + _PATIENCE_S
        position = start
        while position < end:
            message = consumer.poll(_TURN_S)
            if message is None:
                if self._stop.is_set():
                    raise StoppingError
                if time.monotonic() > deadline:
                    raise DeadLetterError(f"the end of topic {self.topic} cannot be read")
                continue
            error = message.error()
            if error is None:
                position = message.offset() + 1
                if message.key() == key:
                    # Who writes here beside us must not stop the job.
                    found = parse_mark(message.value()) or found
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 the library's own name
                # Behind the last record stands a commit marker, which no reader is given.
                position = max(position, message.offset())
            else:
                raise KafkaException(error)
        return found
