"""The dead-letter topic in Kafka, on librdkafka; `progress` keeps the mark beside it.

The mark is a record in the transaction that holds the letters. A consumer group's offsets would
need no topic, but librdkafka may wait for ever for a group coordinator that was started again (its
issues 5456 and 5511).
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from aggregator.dead_letters.letter import PART_BYTES
from aggregator.dead_letters.progress import Marks, mark_record
from aggregator.errors import DeadLetterError, FencedError, LetterTooLargeError, StoppingError
from isotherm.kafka.writer import KafkaWriter
from isotherm.mqtt.topics import MARKS_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence
    from threading import Event

    from aggregator.dead_letters.letter import Mark, Record
    from isotherm.kafka.access import KafkaAccess

PREFIX: Final = "isotherm-aggregator-"
"""Of the transactional id; the query's id follows."""

TRANSACTION_TIMEOUT_MS: Final = 30_000
"""After this Kafka aborts what a job left open that died and was not started again; until then
readers of committed records wait."""

_HEADER_BYTES: Final = 2_000
_PATIENCE_S: Final = 10.0
_TURN_S: Final = 0.25
_PURGED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001 the library's own name
_FOLLOWS: Final = _PURGED | {KafkaError._STATE}  # noqa: SLF001 the same
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001 the library's own name


class KafkaBox(KafkaWriter):
    """See `aggregator.dead_letters.writer.Box`.

    Args:
        access: the way into Kafka.
        topic: of the dead letters.
        readings: the topic whose records they are; the topic of marks is named after it.
        stop: ends a wait for Kafka.
    """

    def __init__(self, access: KafkaAccess, topic: str, readings: str, stop: Event) -> None:
        super().__init__(access, topic)
        self._marks = Marks(access, readings + MARKS_SUFFIX, stop)
        self._stop = stop
        self._query_id = ""

    def open(self, query_id: str, part_bytes: int = PART_BYTES) -> Mark:
        """See `Box.open`."""
        self._query_id = query_id
        self._open(
            {
                "transactional.id": PREFIX + query_id,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
                # A topic's max.message.bytes bounds what is sent at once.
                "batch.size": part_bytes + _HEADER_BYTES,
            }
        )
        try:
            found = self._producer.list_topics(timeout=_PATIENCE_S).topics
            self._require_topic(found)
            self._marks.require(found)
            self._producer.init_transactions(_PATIENCE_S)
            self._heard.forget()
            return self._marks.last(query_id)
        except KafkaException as error:
            # `_heard` is told here; after a fatal error there is nothing more to be told.
            with contextlib.suppress(KafkaException, SystemError):
                self._producer.poll(0)
            raise self._error(error) from error

    def put(self, records: Sequence[Record], mark: Mark) -> None:
        """See `Box.put`."""
        self._failures = []
        try:
            self._producer.begin_transaction()
            for key, value, headers in records:
                self._producer.produce(
                    self._topic, value, key, headers=list(headers), on_delivery=self._delivered
                )
            marked = mark_record(self._query_id, mark)
            self._producer.produce(self._marks.topic, *marked, 0, on_delivery=self._delivered)
            self._flush()
            self._patiently(self._producer.commit_transaction)
        except (BufferError, KafkaException) as error:
            raise self._error(self._cause(error)) from error

    def close(self) -> None:
        """See `Box.close`; what is open is aborted by the next `open`, or by Kafka in time."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # After a fatal error nothing of this is possible, nor needed.
            with contextlib.suppress(KafkaException, SystemError):
                producer.purge()
                producer.flush(_TURN_S)
                producer.abort_transaction(_TURN_S)

    def _require_topic(self, found: Container[str]) -> None:
        if self._topic not in found:
            raise DeadLetterError(
                f"rejected records wait for their dead letters: topic {self._topic} does not "
                "exist; create it, name another with --dead-letters, or only count them with "
                "--dead-letters off"
            )

    def _flush(self) -> None:
        while self._left():
            if self._stop.is_set():
                raise StoppingError
        if self._failures:
            raise KafkaException(self._failures[0])

    def _cause(self, error: Exception) -> Exception:
        """Why a transaction goes no further: one record that is refused ends it for all others.

        Those may be told first, and a record that is queued after it finds a transaction that has
        ended.
        """
        with contextlib.suppress(KafkaException, SystemError):
            self._producer.flush(_TURN_S)
        causes = [failure for failure in self._failures if failure.code() not in _PURGED]
        follows = isinstance(error.args[0], KafkaError) and error.args[0].code() in _FOLLOWS
        return KafkaException(causes[0]) if causes and follows else error

    def _left(self) -> int:
        try:
            return int(self._producer.flush(_TURN_S))
        except SystemError:
            # confluent-kafka loses a fatal error that comes up here; the next step tells it.
            self._producer.commit_transaction(_TURN_S)
            raise

    def _patiently(self, step: Callable[[float], Any]) -> None:
        """Repeat a step, which goes on where it was, until Kafka answers or patience ends."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                step(_TURN_S)
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise
                if self._stop.is_set():
                    raise StoppingError from error
            else:
                return

    def _error(self, error: Exception) -> DeadLetterError:
        why = error.args[0]
        if isinstance(why, KafkaError):
            if why.code() in _FENCED:
                return FencedError(
                    f"another job runs with this checkpoint and writes its dead letters to "
                    f"{self._topic}; end one of them"
                )
            if why.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                return LetterTooLargeError(
                    f"rejected records wait for their dead letters: topic {self._topic} at "
                    f"{self._access.brokers} takes no records of that size; raise its "
                    "max.message.bytes"
                )
            why = self._heard.why(why.str())
        return DeadLetterError(
            f"rejected records wait for their dead letters: topic {self._topic} at "
            f"{self._access.brokers} does not take them: {why}"
        )
