"""Is Kafka there, and the topic in it? Asked through the Kafka client of Spark's connector."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from py4j.protocol import Py4JJavaError

from aggregator.errors import KafkaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
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
        properties = self._view.java.util.Properties()
        properties.setProperty("bootstrap.servers", self._brokers)
        properties.setProperty("default.api.timeout.ms", _TIMEOUT_MS)
        properties.setProperty("request.timeout.ms", _TIMEOUT_MS)
        admin = None
        try:
            admin = self._view.org.apache.kafka.clients.admin.AdminClient.create(properties)
            admin.describeTopics([self._topic]).allTopicNames().get()
        except Py4JJavaError as error:
            missing = "UnknownTopicOrPartitionException" in str(error)
            return Presence.NO_TOPIC if missing else Presence.NO_BROKER
        finally:
            if admin is not None:
                admin.close()
        return Presence.READY


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
