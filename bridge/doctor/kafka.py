"""What is to be said of Kafka."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bridge.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.doctor.finding import Finding


class TopicFacts(NamedTuple):
    """One topic that is there.

    Attributes:
        partitions: how many.
        replicas: the fewest of any partition.
        in_sync: the fewest in-sync replicas of any partition.
        leaderless: partitions without a leader.
        min_in_sync: min.insync.replicas; None where it cannot be read.
        retention_s: how long records are kept, seconds; None for ever, or where it cannot be read.
    """

    partitions: int
    replicas: int
    in_sync: int
    leaderless: int
    min_in_sync: int | None = None
    retention_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class KafkaFacts:
    """What an admin client saw.

    Attributes:
        unreachable: why there was no answer; None where there was.
        version: as far as the protocol tells it.
        nodes: ``host:port`` of each broker.
        topics: those of the wanted topics that are there.
        not_creatable: why the position topic could not be made; None where it could, or is there.
        no_transactions: why transactions cannot be used; None where they can, or need not.
    """

    unreachable: str | None = None
    version: str = ""
    nodes: tuple[str, ...] = ()
    topics: Mapping[str, TopicFacts] = field(default_factory=dict)
    not_creatable: str | None = None
    no_transactions: str | None = None


def check_kafka(
    facts: KafkaFacts,
    *,
    brokers: str,
    topics: tuple[str, ...],
    position_topic: str | None,
    session_expiry: float,
) -> Iterator[Finding]:
    """Judge them against what the settings ask for.

    Args:
        facts: what was seen.
        brokers: as the settings name them.
        topics: those that must be there.
        position_topic: with exactly-once; made by the bridge where it is missing.
        session_expiry: seconds that positions must be kept for.
    """
    if facts.unreachable is not None:
        yield fail("kafka", f"{brokers}: {facts.unreachable}", dependency=True)
        return
    yield ok("kafka", f"Kafka {facts.version} at {', '.join(facts.nodes)}")
    for name in topics:
        yield from _topic(name, facts.topics.get(name))
    if position_topic is not None:
        yield from _exactly_once(facts, position_topic, session_expiry)


def _exactly_once(facts: KafkaFacts, name: str, session_expiry: float) -> Iterator[Finding]:
    position = facts.topics.get(name)
    if position is not None:
        yield from _topic(name, position)
        kept = position.retention_s
        if kept is not None and kept < session_expiry:
            yield warn(
                "kafka topic",
                f"{name} keeps records for {kept:.0f} s, less than mqtt.session_expiry "
                f"({session_expiry:.0f} s): a bridge that was away for longer doubles messages; "
                "raise retention.ms",
            )
    elif facts.not_creatable is None:
        yield ok("kafka topic", f"{name} will be made by the bridge")
    else:
        yield fail("kafka topic", f"{name} is missing and cannot be made: {facts.not_creatable}")
    if facts.no_transactions is None:
        yield ok("transactions", "Kafka gives this user transactional ids")
    else:
        yield fail(
            "transactions",
            f"a transactional id cannot be had: {facts.no_transactions}; allow it, or choose "
            "--delivery at-least-once",
        )


def _topic(name: str, topic: TopicFacts | None) -> Iterator[Finding]:
    if topic is None:
        yield fail("kafka topic", f"{name} does not exist, or this user may not see it; create it")
        return
    if topic.leaderless:
        yield fail("kafka topic", f"{name} has {topic.leaderless} partitions without a leader")
        return
    least = topic.min_in_sync
    if least is not None and topic.in_sync < least:
        yield fail(
            "kafka topic",
            f"{name} has {topic.in_sync} replicas in sync, and min.insync.replicas is {least}: "
            "Kafka takes nothing with acks=all",
        )
        return
    yield ok("kafka topic", f"{name}: partitions {topic.partitions}")
    if topic.replicas == 1:
        yield warn(
            "kafka copies",
            f"{name} has one replica: acks=all means one copy, which is lost with its disk; where "
            "that matters, replication factor 3 and min.insync.replicas=2",
        )
    elif least is None:
        yield warn("kafka copies", f"{name}: min.insync.replicas cannot be read by this user")
    elif least == 1:
        yield warn(
            "kafka copies",
            f"{name} has {topic.replicas} replicas but min.insync.replicas=1: acks=all may mean "
            "one copy when the others lag; set it to 2",
        )
    else:
        yield ok(
            "kafka copies", f"{name}: at least {least} of {topic.replicas} replicas have each write"
        )
