"""What is to be said of a Kafka topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from isotherm.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isotherm.doctor.finding import Finding


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


def check_topic(name: str, topic: TopicFacts | None) -> Iterator[Finding]:
    """Judge one that must be there.

    Args:
        name: of the topic.
        topic: None where it was not found.
    """
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
