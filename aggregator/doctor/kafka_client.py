"""Asks Kafka with the job's own client; writes nothing, and joins no group."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stub
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from aggregator.doctor.kafka import KafkaFacts
from aggregator.kafka.availability import Extent
from isotherm.doctor.topic import TopicFacts
from isotherm.kafka.clients import QUIET, client_settings, consumer_settings
from isotherm.kafka.errors import KafkaAccessError
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.settings import AggregatorSettings

_PATIENCE_S: Final = 8.0
_FIRST_RECORD_S: Final = 5.0
_DIGITS: Final = 40
_URL_SAFE: Final = str.maketrans("+/", "-_")
_LEVEL: Final = IsolationLevel.READ_COMMITTED


def ask_kafka(
    settings: AggregatorSettings, names: tuple[str, ...], position: Mapping[int, int]
) -> KafkaFacts:
    """See what is there.

    Args:
        settings: how to connect, and the topic of the readings.
        names: of all topics that must be there.
        position: for each partition the offset behind what is counted.
    """
    said: list[str] = []
    try:
        client = client_settings(settings.access, lambda error: said.append(error.str()))
        consumer = consumer_settings(settings.access)
    except KafkaAccessError as error:
        return KafkaFacts(unreachable=str(error))
    admin: Any = AdminClient(client, logger=QUIET)
    try:
        listed = admin.list_topics(timeout=_PATIENCE_S)
        there = [name for name in names if name in listed.topics]
        topics = {name: _facts(admin, listed.topics[name]) for name in there}
        extent = _extent(admin, settings.topic) if settings.topic in there else None
    except KafkaException as error:
        # What librdkafka met in the background says more than that it timed out.
        admin.poll(0)
        words = (said or [str(error.args[0].str())])[0]
        return KafkaFacts(
            unreachable=refusal("kafka", " ".join(said))
            or f"{words}; see whether Kafka runs, and kafka.brokers"
        )
    return KafkaFacts(
        nodes=tuple(f"{node.host}:{node.port}" for node in listed.brokers.values()),
        topics=topics,
        extent=extent,
        oldest_s=None if extent is None else _oldest(consumer, settings.topic, extent, position),
    )


def _facts(admin: Any, topic: Any) -> TopicFacts:
    partitions = topic.partitions.values()
    configs = _configs(admin, topic.topic)
    least, kept = (whole(configs.get(name)) for name in ("min.insync.replicas", "retention.ms"))
    return TopicFacts(
        partitions=len(partitions),
        replicas=min((len(one.replicas) for one in partitions), default=0),
        in_sync=min((len(one.isrs) for one in partitions), default=0),
        leaderless=sum(one.leader < 0 for one in partitions),
        min_in_sync=least,
        retention_s=None if kept is None or kept < 0 else kept / 1000,
    )


def whole(words: str | None) -> int | None:
    """A number that a broker says; None where it is none that Kafka could mean."""
    try:
        number = int((words or "")[:_DIGITS])
    except ValueError:
        return None
    return number if abs(number) < 1 << 63 else None


def _configs(admin: Any, name: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        found = admin.describe_configs([resource])[resource].result(_PATIENCE_S)
    except (KafkaException, TimeoutError):
        # Reading them is a right of its own, which the job does not need.
        return {}
    return {key: entry.value for key, entry in found.items()}


def _extent(admin: Any, topic: str) -> Extent:
    spec: Any = OffsetSpec
    found = admin.describe_topics(TopicCollection([topic]))[topic].result(_PATIENCE_S)
    partitions = [one.id for one in found.partitions]
    return Extent(
        topic_id=as_java_writes(found.topic_id),
        first=_offsets(admin, topic, partitions, spec.earliest()),
        end=_offsets(admin, topic, partitions, spec.latest()),
    )


def as_java_writes(topic_id: Any) -> str:
    """A topic's id as the job notes it: Java writes - and _ where librdkafka has + and /."""
    return str(topic_id).translate(_URL_SAFE)


def _offsets(admin: Any, topic: str, partitions: list[int], spec: Any) -> dict[int, int]:
    asked = {TopicPartition(topic, number): spec for number in partitions}
    answers = admin.list_offsets(asked, isolation_level=_LEVEL)
    return {where.partition: one.result(_PATIENCE_S).offset for where, one in answers.items()}


def _oldest(
    client: dict[str, Any], topic: str, extent: Extent, position: Mapping[int, int]
) -> float | None:
    start = {
        number: max(position.get(number, 0), extent.first[number])
        for number, end in extent.end.items()
    }
    behind = [number for number, end in extent.end.items() if start[number] < end]
    if not behind:
        return None
    oldest = None
    consumer: Any = Consumer(client, logger=QUIET)
    try:
        consumer.assign([TopicPartition(topic, number, start[number]) for number in behind])
        deadline = time.monotonic() + _FIRST_RECORD_S
        left = set(behind)
        while left and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is None or message.error() is not None or message.partition() not in left:
                continue
            left.remove(message.partition())
            consumer.pause([TopicPartition(topic, message.partition())])
            at = message.timestamp()[1]
            oldest = at if oldest is None else min(oldest, at)
    finally:
        consumer.close()
    return None if oldest is None else max(0.0, time.time() - oldest / 1000)
