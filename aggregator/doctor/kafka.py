"""What is to be said of Kafka: its topics, and what is left of what the job has to count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from aggregator.errors import DataLossError
from aggregator.kafka.topic_identity import lost_sentence, require_all
from isotherm.doctor.finding import fail, ok, warn
from isotherm.doctor.topic import check_topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aggregator.kafka.availability import Extent
    from isotherm.doctor.finding import Finding
    from isotherm.doctor.topic import TopicFacts


@dataclass(frozen=True, kw_only=True)
class KafkaFacts:
    """What a client saw.

    Attributes:
        unreachable: why there was no answer; None where there was.
        nodes: ``host:port`` of each broker.
        topics: those of the wanted topics that are there.
        extent: what the topic of the readings holds; None where that was not told.
        oldest_s: age of the oldest record that is not counted, seconds; None where there is none.
    """

    unreachable: str | None = None
    nodes: tuple[str, ...] = ()
    topics: Mapping[str, TopicFacts] = field(default_factory=dict)
    extent: Extent | None = None
    oldest_s: float | None = None


class Where(NamedTuple):
    """Where the checkpoint stands.

    Attributes:
        position: for each partition the offset behind what is counted; empty for a new one.
        known: the id that the topic had; None where nobody noted it.
    """

    position: Mapping[int, int]
    known: str | None


def check_kafka(
    facts: KafkaFacts,
    *,
    brokers: str,
    topic: str,
    others: Mapping[str, str],
    where: Where,
) -> Iterator[Finding]:
    """Judge it.

    Args:
        facts: what was seen.
        brokers: as the settings name them.
        topic: of the readings.
        others: further topics that must be there, with the setting that does without.
        where: the checkpoint.
    """
    if facts.unreachable is not None:
        yield fail("kafka", f"{brokers}: {facts.unreachable}", dependency=True)
        return
    yield ok("kafka", f"Kafka at {', '.join(facts.nodes)}")
    yield from check_topic(topic, facts.topics.get(topic))
    for name, instead in others.items():
        found = facts.topics.get(name)
        if found is None:
            yield fail(
                "kafka topic",
                f"{name} does not exist, or this user may not see it; create it, or {instead}",
            )
        else:
            yield from check_topic(name, found)
    found = facts.topics.get(topic)
    if found is not None and facts.extent is not None:
        yield from _standing(facts, facts.extent, topic, found.retention_s, where)


def _standing(
    facts: KafkaFacts, extent: Extent, topic: str, retention_s: float | None, where: Where
) -> Iterator[Finding]:
    # A new partition is counted from its first record.
    missing = {number: extent.first[number] for number in extent.first.keys() - where.position}
    position = {**where.position, **missing}
    try:
        gone = require_all(topic, extent, known=where.known, position=where.position)
    except DataLossError as error:
        yield fail("kafka records", str(error))
        return
    if gone:
        yield fail(
            "kafka records",
            f"{lost_sentence(topic, gone)}; the next start needs --accept-loss, and retention.ms "
            "must be longer than the longest time that the job is away",
        )
        return
    behind = sum(max(0, end - position[number]) for number, end in extent.end.items())
    said = f"offsets of {topic} that are not counted: {behind}"
    if facts.oldest_s is None or retention_s is None:
        yield ok("kafka lag", said)
        return
    said += f", the oldest {_span(facts.oldest_s)} old; Kafka keeps records for "
    if facts.oldest_s > retention_s / 2:
        yield warn(
            "kafka lag",
            f"{said}{_span(retention_s)}: start the job, or raise retention.ms, before they are "
            "deleted",
        )
    else:
        yield ok("kafka lag", said + _span(retention_s))


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
