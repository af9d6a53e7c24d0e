"""What the job's writers to Kafka have in common: a producer, what it fails to write, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Producer

from isotherm.kafka.clients import QUIET, Heard, client_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isotherm.kafka.access import KafkaAccess


class KafkaWriter:
    """The base of a class that writes to one topic.

    Args:
        access: the way into Kafka.
        topic: where it writes.
    """

    def __init__(self, access: KafkaAccess, topic: str) -> None:
        self._access = access
        self._topic = topic
        self._heard = Heard()
        self._producer: Any = None
        self._failures: list[Any] = []

    def _open(self, options: Mapping[str, Any]) -> None:
        """Make the producer, which reads the files of the way into Kafka.

        Args:
            options: of librdkafka, beside those that all have.

        Raises:
            KafkaAccessError: a file cannot be used.
        """
        self._producer = Producer(
            {
                **client_settings(self._access, self._heard),
                # The partitioner of Java and kafka-python, and of the bridge.
                "partitioner": "murmur2_random",
                **options,
            },
            logger=QUIET,
        )

    def _delivered(self, error: Any, _message: Any) -> None:
        """To be given as ``on_delivery``: keeps what fails in `_failures`."""
        if error is not None:
            self._failures.append(error)
