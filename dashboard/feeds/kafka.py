"""Snapshots from the topic of the analytics, on librdkafka.

librdkafka rather than kafka-python: the job writes with it, wheels are there for whatever runs a
page, and it goes on by itself over restarts of brokers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dashboard.feeds.assembly import Assembly
from dashboard.feeds.base import READ_BACK_S, Source
from dashboard.feeds.incoming import read
from isotherm.kafka.clients import QUIET, client_settings
from isotherm.kafka.errors import KafkaAccessError
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    from threading import Event

    from dashboard.feeds.base import Inbox
    from isotherm.kafka.access import KafkaAccess

_ANSWER_S: Final = 5.0
_TURN_S: Final = 0.1
_AGAIN_S: Final = 1.0
_MANY: Final = 500
_LAST: Final = 4
"""Records of each partition that are read where none is of the last hour."""
_PARTITIONS_S: Final = 30.0
"""Seconds between two looks for partitions that came."""


class _LostError(Exception):
    """Why the feed has to begin anew."""


class KafkaFeed:
    """Reads a topic from an hour ago on; no group, so that nothing is left behind in Kafka.

    Args:
        access: the way into Kafka.
        topic: of the analytics.
    """

    def __init__(self, access: KafkaAccess, topic: str) -> None:
        self._access = access
        self._brokers = access.brokers
        self._topic = topic
        self._why = ""

    @property
    def began(self) -> Source:
        """See `Feed`."""
        return self._source(f"no answer yet from {self._brokers}")

    def run(self, inbox: Inbox, stop: Event) -> None:
        """See `Feed`."""
        since = time.time() - READ_BACK_S
        while not stop.is_set():
            begun = time.time()
            try:
                self._session(inbox, stop, since)
            except KafkaException as error:
                inbox.source(self._source(self._why or f"{self._brokers}: {error.args[0].str()}"))
            except (_LostError, KafkaAccessError) as error:
                inbox.source(self._source(str(error)))
            # What comes again was taken before, and is known by its name.
            since = max(since, begun - READ_BACK_S)
            stop.wait(_AGAIN_S)

    def _session(self, inbox: Inbox, stop: Event, since: float) -> None:
        consumer: Any = Consumer(
            {
                **client_settings(self._access, self._error),
                # Never used, and librdkafka asks for one.
                "group.id": "isotherm-dashboard",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            },
            logger=QUIET,
        )
        self._why = ""
        try:
            partitions = self._partitions(consumer)
            consumer.assign(self._begin(consumer, partitions, since))
            inbox.source(self._source(""))
            self._follow(consumer, partitions, inbox, stop)
        except KafkaException:
            # `_error` is told here.
            consumer.poll(0)
            raise
        finally:
            consumer.close()

    def _follow(self, consumer: Any, partitions: set[int], inbox: Inbox, stop: Event) -> None:
        assembly = Assembly()
        behind = set(partitions)
        look = time.monotonic() + _PARTITIONS_S
        while not stop.is_set():
            self._read(consumer, assembly, behind, inbox)
            # While it reads back, the scopes of a snapshot may come minutes apart.
            if not behind or assembly.full:
                for snapshot in assembly.take(time.monotonic()):
                    inbox.snapshot(snapshot)
            if self._why or time.monotonic() > look:
                self._look(consumer, partitions, inbox)
                look = time.monotonic() + _PARTITIONS_S

    def _read(self, consumer: Any, assembly: Assembly, behind: set[int], inbox: Inbox) -> None:
        for message in consumer.consume(_MANY, _TURN_S):
            if message.error() is None:
                self._take(message, assembly, inbox)
            elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 the library's own name
                behind.discard(message.partition())
            else:
                raise KafkaException(message.error())

    def _look(self, consumer: Any, partitions: set[int], inbox: Inbox) -> None:
        """Whether Kafka is there, and the topic as it was; raises where not."""
        if self._why:
            inbox.source(self._source(self._why))
        if self._partitions(consumer) != partitions:
            raise _LostError(f"the partitions of {self._topic} have changed")
        self._why = ""
        inbox.source(self._source(""))

    def _partitions(self, consumer: Any) -> set[int]:
        found = consumer.list_topics(self._topic, _ANSWER_S).topics[self._topic]
        if found.error is not None or not found.partitions:
            raise _LostError(
                f"Kafka at {self._brokers} has no topic {self._topic}: create it, and start the "
                f"job with --analytics-topic {self._topic}"
            )
        return set(found.partitions)

    def _begin(self, consumer: Any, partitions: set[int], since: float) -> list[TopicPartition]:
        asked = [TopicPartition(self._topic, number, int(since * 1000)) for number in partitions]
        found: list[TopicPartition] = consumer.offsets_for_times(asked, _ANSWER_S)
        for where in found:
            if where.offset < 0:
                # Nothing is as young: then the page shows the last, and says how old it is.
                first, end = consumer.get_watermark_offsets(where, _ANSWER_S)
                where.offset = max(first, end - _LAST)
        return found

    def _take(self, message: Any, assembly: Assembly, inbox: Inbox) -> None:
        where = f"{self._topic}, partition {message.partition()}, offset {message.offset()}"
        value = message.value() or b""
        try:
            assembly.add(read(value), time.monotonic(), len(value))
        except ValueError as error:
            inbox.broken(where, str(error))

    def _error(self, error: Any) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 the library's own name
            self._why = self._why or f"no broker answers at {self._brokers}"
        elif error.fatal() or error.code() in (
            KafkaError._AUTHENTICATION,  # noqa: SLF001 the same
            KafkaError._SSL,  # noqa: SLF001 the same
        ):
            self._why = refusal("kafka", error.str()) or error.str()

    def _source(self, why: str) -> Source:
        return Source(kind="kafka", name=f"{self._brokers} {self._topic}", up=not why, why=why)
