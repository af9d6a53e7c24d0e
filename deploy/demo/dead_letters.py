"""The dead letters of the demo, counted by reason."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from isotherm.mqtt.topics import DEAD_LETTER_SUFFIX, KAFKA_READINGS

if TYPE_CHECKING:
    from collections.abc import Iterable


class DeadLetters:
    """Reads the dead-letter topic from its beginning.

    Args:
        kafka: ``host:port``.
    """

    def __init__(self, kafka: str) -> None:
        from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415 not for --help

        self._consumer = KafkaConsumer(
            bootstrap_servers=kafka,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        topic = KAFKA_READINGS + DEAD_LETTER_SUFFIX
        partitions = self._consumer.partitions_for_topic(topic) or {0}
        self._consumer.assign([TopicPartition(topic, number) for number in sorted(partitions)])
        self.by_reason: Counter[str] = Counter()

    def read(self, timeout: float) -> None:
        """Count what has come, waiting up to `timeout` seconds for it."""
        found = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=10_000)
        for records in found.values():
            self.by_reason.update(filter(None, (reason(record.headers) for record in records)))

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()


def reason(headers: Iterable[tuple[str, Any]]) -> str | None:
    """Why the bridge rejected it.

    None for a further part of a letter that has several, and for a letter of the job, which says
    by itself what it has rejected.
    """
    known = {key: bytes(value).decode() for key, value in headers}
    if known.get("part", "1") != "1" or "offset" in known:
        return None
    return known.get("reason", "unknown")
