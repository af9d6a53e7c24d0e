"""Is Kafka there, and the topic in it? Asked through the Kafka client of Spark's connector."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from py4j.protocol import Py4JJavaError

from aggregator.errors import KafkaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from contract.log import Log

_PAUSE: Final = 1.0
_TIMEOUT_MS: Final = "3000"


class Presence(StrEnum):
    """What a look at Kafka found to be missing."""

    READY = "nothing"
    NO_BROKER = "broker"
    NO_TOPIC = "topic"


class Look(Protocol):
    """One look at Kafka, within a few seconds; never raises for a broker that is not there."""

    def __call__(self) -> Presence:
        """What is there now."""


class AdminLook:
    """A look through Kafka's own admin client, in Spark's Java.

    Args:
        view: Spark's Java side.
        brokers: HOST:PORT, several with commas.
        topic: the topic.
    """

    def __init__(self, view: Any, brokers: str, topic: str) -> None:
        self._view = view
        self._brokers = brokers
        self._topic = topic

    def __call__(self) -> Presence:
        """Ask the brokers for the topic's partitions."""
        admin = None
        try:
            admin = _admin(self._view, self._brokers)
            admin.describeTopics([self._topic]).allTopicNames().get()
        except Py4JJavaError as error:
            missing = "UnknownTopicOrPartitionException" in str(error)
            return Presence.NO_TOPIC if missing else Presence.NO_BROKER
        finally:
            if admin is not None:
                admin.close()
        return Presence.READY


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a topic holds.

    Attributes:
        topic_id: Kafka's own name of it, which one that is made anew does not get again.
        first: for each partition the offset of the first record that is still there.
        end: for each partition the offset behind the last record.
    """

    topic_id: str
    first: Mapping[int, int]
    end: Mapping[int, int]


class Survey(Protocol):
    """Asks Kafka about a topic."""

    def __call__(self) -> Extent | None:
        """What it holds now; None where Kafka does not say within a few seconds."""


class AdminSurvey:
    """A survey through Kafka's own admin client, in Spark's Java.

    Args:
        view: Spark's Java side.
        brokers: HOST:PORT, several with commas.
        topic: the topic.
    """

    def __init__(self, view: Any, brokers: str, topic: str) -> None:
        self._view = view
        self._brokers = brokers
        self._topic = topic

    def __call__(self) -> Extent | None:
        """Ask the brokers for the topic's id and offsets."""
        spec = self._view.org.apache.kafka.clients.admin.OffsetSpec
        admin = None
        try:
            admin = _admin(self._view, self._brokers)
            found = admin.describeTopics([self._topic]).allTopicNames().get().get(self._topic)
            partitions = [entry.partition() for entry in found.partitions()]
            return Extent(
                topic_id=found.topicId().toString(),
                first=self._offsets(admin, partitions, spec.earliest()),
                end=self._offsets(admin, partitions, spec.latest()),
            )
        except Py4JJavaError:
            return None
        finally:
            if admin is not None:
                admin.close()

    def _offsets(self, admin: Any, partitions: list[int], spec: Any) -> dict[int, int]:
        asked = self._view.java.util.HashMap()
        for partition in partitions:
            asked[self._view.org.apache.kafka.common.TopicPartition(self._topic, partition)] = spec
        answer = admin.listOffsets(asked).all().get()
        return {where.partition(): answer[where].offset() for where in answer}


def _admin(view: Any, brokers: str) -> Any:
    properties = view.java.util.Properties()
    properties.setProperty("bootstrap.servers", brokers)
    properties.setProperty("default.api.timeout.ms", _TIMEOUT_MS)
    properties.setProperty("request.timeout.ms", _TIMEOUT_MS)
    return view.org.apache.kafka.clients.admin.AdminClient.create(properties)


class Attendance:
    """Whether Kafka and the topic are there, said once when they go and once when they are back.

    Args:
        look: one look at Kafka.
        brokers: for messages.
        topic: for messages.
        log: where it is said.

    Attributes:
        missing: what the last look found to be missing.
    """

    def __init__(self, look: Look, *, brokers: str, topic: str, log: Log) -> None:
        self._look = look
        self.brokers = brokers
        self.topic = topic
        self._log = log
        self.missing = Presence.READY

    def here(self) -> bool:
        """Look, which takes up to a few seconds where Kafka is away, and say what has changed."""
        before, self.missing = self.missing, self._look()
        if self.missing is Presence.READY:
            if before is not Presence.READY:
                self._log.info("found", kafka=self.brokers, topic=self.topic)
            return True
        if self.missing is not before:
            self._log.warning(
                "waiting", missing=self.missing.value, kafka=self.brokers, topic=self.topic
            )
        return False


def wait_for_topic(
    attendance: Attendance,
    *,
    patience: float | None,
    stop: Event,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until the topic is there, and say once what is waited for.

    Args:
        attendance: looks, and speaks.
        patience: seconds to wait; None waits for ever.
        stop: set where the person wants the program to end.
        clock: monotonic seconds.

    Returns:
        False where `stop` was set before.

    Raises:
        KafkaUnavailableError: the patience has run out.
    """
    deadline = None if patience is None else clock() + patience
    while not stop.is_set():
        if attendance.here():
            return True
        if deadline is not None and clock() >= deadline:
            raise KafkaUnavailableError(_sentence(attendance, patience))
        stop.wait(_PAUSE)
    return False


def _sentence(attendance: Attendance, patience: float | None) -> str:
    if attendance.missing is Presence.NO_TOPIC:
        return (
            f"Kafka at {attendance.brokers} has no topic {attendance.topic} after {patience:g} s: "
            "check --topic, or create it"
        )
    return f"no Kafka broker answers at {attendance.brokers} after {patience:g} s: check --kafka"
