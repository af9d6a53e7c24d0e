"""Reads what was rejected in a flood again, on librdkafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from aggregator.dead_letters.letter import Source
from aggregator.errors import DeadLetterError, StoppingError
from isotherm.kafka.clients import QUIET, Heard, consumer_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from aggregator.dead_letters.letter import Flood
    from isotherm.kafka.access import KafkaAccess

_TURN_S: Final = 0.25
_READ: Final = 5_000


class KafkaReader:
    """See `aggregator.dead_letters.writer.Reader`.

    Args:
        access: the way into Kafka.
        topic: of the readings.
        stop: ends a wait for Kafka.
    """

    def __init__(self, access: KafkaAccess, topic: str, stop: Event) -> None:
        self._access = access
        self._heard = Heard()
        self._topic = topic
        self._stop = stop

    def __call__(self, flood: Flood) -> Iterator[Source]:
        """See `Reader`."""
        consumer: Any = Consumer(
            {
                **consumer_settings(self._access, heard=self._heard),
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": 16 << 10,
            },
            logger=QUIET,
        )
        try:
            consumer.assign([TopicPartition(self._topic, flood.partition, flood.offset)])
            while True:
                for message in consumer.consume(_READ, _TURN_S):
                    offset = message.offset()
                    error = message.error()
                    if error is not None:
                        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 the library's own name
                            raise self._error(error.str())
                        # A compacted topic may no longer have the last one.
                        if offset > flood.last:
                            return
                        continue
                    if offset <= flood.last:
                        yield Source(flood.partition, offset, message.key(), message.value())
                    if offset >= flood.last:
                        return
                if self._stop.is_set():
                    raise StoppingError
        except KafkaException as error:
            raise self._error(error.args[0].str()) from error
        finally:
            consumer.close()

    def _error(self, why: str) -> DeadLetterError:
        return DeadLetterError(
            f"rejected records wait for their dead letters: they cannot be read again from topic "
            f"{self._topic} at {self._access.brokers}: {self._heard.why(why)}"
        )
