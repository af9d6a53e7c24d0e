"""Is Kafka there, does it grant access, and is the topic there?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from isotherm.kafka.errors import KafkaAccessError, KafkaUnavailableError
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from isotherm.log import Log

_PAUSE: Final = 1.0


class Presence(StrEnum):
    """What a look at Kafka found to be missing."""

    READY = "nothing"
    NO_BROKER = "broker"
    NO_ACCESS = "access"
    NO_TOPIC = "topic"


class Look(Protocol):
    """One look at Kafka, within a few seconds; never raises for a broker that is not there."""

    def __call__(self) -> Presence:
        """What is there now; not `Presence.NO_ACCESS`.

        Raises:
            KafkaAccessError: see there.
        """


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


class Attendance:
    """Whether Kafka and the topic are there, said once when they go and once when they are back.

    Args:
        look: one look at Kafka.
        brokers: for messages.
        topic: for messages.
        log: where it is said.

    Attributes:
        missing: what the last look found to be missing.
        why: why a broker refuses access, for `Presence.NO_ACCESS`; else empty.
    """

    def __init__(self, look: Look, *, brokers: str, topic: str, log: Log) -> None:
        self._look = look
        self.brokers = brokers
        self.topic = topic
        self._log = log
        self._away = Problem(log.warning, "waiting")
        self._no_access = Problem(log.error, "no access to kafka", kafka=brokers)
        self.missing = Presence.READY
        self.why = ""

    def here(self) -> bool:
        """Look, which takes up to a few seconds where Kafka is away, and say what has changed."""
        before = self.missing
        try:
            self.missing, self.why = self._look(), ""
        except KafkaAccessError as error:
            self.missing, self.why = Presence.NO_ACCESS, str(error)
        if self.missing is Presence.NO_ACCESS:
            self._away.end()
            # The library's own words behind ours differ from try to try.
            self._no_access.begin(self.why.partition(": ")[0], why=self.why)
            return False
        self._no_access.end()
        if self.missing is not Presence.READY:
            missing = self.missing.value
            self._away.begin(missing, missing=missing, kafka=self.brokers, topic=self.topic)
            return False
        self._away.end()
        if before is not Presence.READY:
            self._log.info("found", kafka=self.brokers, topic=self.topic)
        return True


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
        KafkaUnavailableError: the patience has run out; KafkaAccessError where there is no access.
    """
    deadline = None if patience is None else clock() + patience
    while not stop.is_set():
        if attendance.here():
            return True
        if deadline is not None and clock() >= deadline:
            raise _given_up(attendance, patience)
        stop.wait(_PAUSE)
    return False


def _given_up(attendance: Attendance, patience: float | None) -> KafkaUnavailableError:
    where = f"Kafka at {attendance.brokers}"
    if attendance.missing is Presence.NO_ACCESS:
        return KafkaAccessError(f"no access to {where} after {patience:g} s: {attendance.why}")
    if attendance.missing is Presence.NO_TOPIC:
        return KafkaUnavailableError(
            f"{where} has no topic {attendance.topic} after {patience:g} s: check --topic, or "
            "create it"
        )
    return KafkaUnavailableError(
        f"no Kafka broker answers at {attendance.brokers} after {patience:g} s: check --kafka and "
        "kafka.security_protocol"
    )
