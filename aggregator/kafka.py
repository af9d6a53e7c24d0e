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


def wait_for_topic(
    look: Look,
    *,
    brokers: str,
    topic: str,
    patience: float | None,
    stop: Event,
    log: Log,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until the topic is there, and say once what is waited for.

    Args:
        look: one look at Kafka.
        brokers: for messages.
        topic: for messages.
        patience: seconds to wait; None waits for ever.
        stop: set where the person wants the program to end.
        log: where it is said.
        clock: monotonic seconds.

    Returns:
        False where `stop` was set before.

    Raises:
        KafkaUnavailableError: the patience has run out.
    """
    deadline = None if patience is None else clock() + patience
    said = Presence.READY
    while not stop.is_set():
        found = look()
        if found is Presence.READY:
            if said is not Presence.READY:
                log.info("found", kafka=brokers, topic=topic)
            return True
        if found is not said:
            said = found
            log.warning("waiting", missing=found.value, kafka=brokers, topic=topic)
        if deadline is not None and clock() >= deadline:
            raise KafkaUnavailableError(_sentence(found, brokers, topic, patience))
        stop.wait(_PAUSE)
    return False


def _sentence(found: Presence, brokers: str, topic: str, patience: float | None) -> str:
    if found is Presence.NO_TOPIC:
        return (
            f"Kafka at {brokers} has no topic {topic} after {patience:g} s: check --topic, or "
            "create it"
        )
    return f"no Kafka broker answers at {brokers} after {patience:g} s: check --kafka"
