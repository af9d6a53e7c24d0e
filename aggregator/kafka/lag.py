"""How far the job is behind the topic: the offsets that it has not counted yet.

Offsets, not records: transactions leave gaps. Spark reads all that there is when a trigger begins,
so it knows of no lag; what came meanwhile is asked of Kafka, in a thread of its own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from isotherm.backoff import Backoff
from isotherm.kafka.clients import QUIET, Heard, consumer_settings
from isotherm.kafka.errors import KafkaAccessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isotherm.kafka.access import KafkaAccess
    from isotherm.tasks import Tasks

_EVERY_S: Final = 1.0
_TIMEOUT_S: Final = 3.0


class Ends(Protocol):
    """Where the topic ends."""

    def __call__(self) -> dict[int, int] | None:
        """By partition, the offset behind its last committed record; None where it is not told."""

    def close(self) -> None:
        """Let go."""


class KafkaEnds:
    """Asks Kafka.

    Args:
        access: the way into Kafka.
        topic: of the readings.
    """

    def __init__(self, access: KafkaAccess, topic: str) -> None:
        self._topic = topic
        self._access = access
        self._heard = Heard()
        self._consumer: Any = None

    def __call__(self) -> dict[int, int] | None:
        """See `Ends`."""
        try:
            if self._consumer is None:
                settings = consumer_settings(self._access, heard=self._heard)
                self._consumer = Consumer(settings, logger=QUIET)
            topic = self._consumer.list_topics(self._topic, _TIMEOUT_S).topics[self._topic]
            return {
                number: self._consumer.get_watermark_offsets(
                    TopicPartition(self._topic, number), _TIMEOUT_S
                )[1]
                for number in topic.partitions
            } or None
        except KafkaAccessError:
            return None
        except KafkaException:
            # `_heard` is told here.
            self._consumer.poll(0)
            if self._heard.refusal:
                self.close()
            return None

    def close(self) -> None:
        """See `Ends`; the next question makes a client anew, which reads the files again."""
        consumer, self._consumer = self._consumer, None
        self._heard.forget()
        if consumer is not None:
            consumer.close()


class Lag:
    """Looks at the topic's end every second, while the context lasts.

    Args:
        ends: where the topic ends.
        tasks: of the program, which see to the thread.
    """

    def __init__(self, ends: Ends, tasks: Tasks) -> None:
        self._ends = ends
        self._tasks = tasks
        self._stop = threading.Event()
        self._latest: dict[int, int] | None = None
        self._counted: Mapping[int, int] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = self._tasks.start(
            "lag", self._work, stopping=self._stop.is_set, again=Backoff(first=_EVERY_S)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_TIMEOUT_S)

    def counted(self, offsets: Mapping[int, int] | None) -> int | None:
        """Note how far a batch goes, and say how far that is behind; never waits.

        Args:
            offsets: by partition, the offset behind the batch's last; None where it is not known.
        """
        self._counted = offsets
        return self.behind()

    def behind(self) -> int | None:
        """How many offsets are not counted yet; None where that is not known."""
        latest, counted = self._latest, self._counted
        if latest is None or counted is None:
            return None
        # The end may have been looked up before the batch began.
        return sum(max(0, end - counted.get(partition, 0)) for partition, end in latest.items())

    def _work(self) -> None:
        try:
            while True:
                self._latest = self._ends()
                if self._stop.wait(_EVERY_S):
                    break
        finally:
            # What was last heard says nothing of now.
            self._latest = None
            self._ends.close()
