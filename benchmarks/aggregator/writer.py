"""Writes readings to Kafka: a batch that appears all at once, or a steady pace."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import Producer

from deploy.errors import ProgramFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.aggregator.fleet import Fleet, Record

_CHUNK: Final = 10_000
_TICK_S: Final = 0.05
_PATIENCE_S: Final = 120.0


class Mark(NamedTuple):
    """When how many readings had been written.

    Attributes:
        at: seconds since 1970.
        written: readings since the pace began.
    """

    at: float
    written: int


class Writer:
    """The producer of a topic.

    Args:
        kafka: ``host:port``.
        topic: exists already.
    """

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        common = {
            "bootstrap.servers": kafka,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1 << 20,
            "linger.ms": 5,
            "batch.size": 1 << 20,
            "compression.type": "none",
        }
        self._plain: Any = Producer(common)
        self._whole: Any = Producer({**common, "transactional.id": f"bench-{topic}"})
        self._whole.init_transactions(_PATIENCE_S)

    def at_once(self, records: Iterable[Record]) -> None:
        """Write records in one transaction, so that readers see all of them, or none yet."""
        self._whole.begin_transaction()
        for chunk in _chunks(records):
            self._produce(self._whole, chunk)
        self._whole.commit_transaction(_PATIENCE_S)

    def paced(self, fleet: Fleet, rate: int, seconds: float) -> list[Mark]:
        """Write `rate` readings a second, in steps of 50 ms.

        Returns:
            When what had been handed to Kafka's client.
        """
        marks: list[Mark] = []
        start = time.time()
        written = 0
        while (passed := time.time() - start) < seconds:
            due = int(passed * rate) - written
            if due > 0:
                self._produce(self._plain, list(fleet.readings(due)))
                written += due
                marks.append(Mark(time.time(), written))
            time.sleep(max(0.0, _TICK_S - (time.time() - start - passed)))
        self._flush(self._plain)
        return marks

    def _produce(self, producer: Any, records: list[Record]) -> None:
        messages = [{"key": key, "value": value} for key, value in records]
        refused = len(messages) - producer.produce_batch(self._topic, messages)
        if refused:
            raise ProgramFailedError(f"Kafka's client refused {refused} of the readings")
        producer.poll(0)

    def _flush(self, producer: Any) -> None:
        if producer.flush(_PATIENCE_S):
            raise ProgramFailedError("Kafka does not take the readings")


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    source = iter(records)
    while chunk := list(islice(source, _CHUNK)):
        yield chunk
