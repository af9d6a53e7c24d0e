"""What is to be said of Kafka."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isotherm.doctor.finding import fail, ok, warn
from isotherm.doctor.topic import check_topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isotherm.doctor.finding import Finding
    from isotherm.doctor.topic import TopicFacts


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
        yield from check_topic(name, facts.topics.get(name))
    if position_topic is not None:
        yield from _exactly_once(facts, position_topic, session_expiry)


def _exactly_once(facts: KafkaFacts, name: str, session_expiry: float) -> Iterator[Finding]:
    position = facts.topics.get(name)
    if position is not None:
        yield from check_topic(name, position)
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
