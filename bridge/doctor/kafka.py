"""Asks Kafka with kafka-python, which is always installed, and judges what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaProducer
from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import KafkaError

from bridge.kafka.kafka_python.producer import client_settings, words
from bridge.kafka.position_topic import PARTITIONS
from isotherm.doctor.finding import fail, ok, warn
from isotherm.doctor.topic import TopicFacts, check_topic
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.settings import BridgeSettings
    from isotherm.doctor.finding import Finding

_BLOCK_MS: Final = 8_000


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
            f"Kafka gives no transactional id: {facts.no_transactions}; allow it, or choose "
            "--delivery at-least-once",
        )


def ask_kafka(settings: BridgeSettings) -> KafkaFacts:
    """See what is there; makes nothing, but for a transactional id that Kafka forgets again.

    Raises:
        SettingsError: a file of a password or a certificate cannot be used.
    """
    exactly_once = settings.exactly_once
    wanted = {settings.topic, settings.dead_letter_topic}
    if exactly_once:
        wanted.add(settings.position_topic)
    try:
        with KafkaAdminClient(**_client(settings)) as admin:
            cluster: Any = admin.describe_cluster()
            there = sorted(wanted & set(admin.list_topics()))
            position_missing = exactly_once and settings.position_topic not in there
            facts = KafkaFacts(
                version=_version(admin),
                nodes=tuple(f"{node['host']}:{node['port']}" for node in cluster["brokers"]),
                topics=_topics(admin, there) if there else {},
                not_creatable=_not_creatable(admin, settings) if position_missing else None,
                no_transactions=_no_transactions(settings) if exactly_once else None,
            )
    except KafkaError as error:
        said = words(error)
        return KafkaFacts(
            unreachable=refusal("kafka", said)
            or f"{said}; see whether Kafka runs, and kafka.brokers"
        )
    return facts


def _client(settings: BridgeSettings) -> dict[str, Any]:
    # Another client id on the wire: quotas and logs tell the doctor from the bridge.
    return {**client_settings(settings), "client_id": f"{settings.client_id}-doctor"}


def _version(admin: Any) -> str:
    version = admin.config.get("api_version") or admin._manager.broker_version  # noqa: SLF001 no public way
    return ".".join(map(str, version)) + " or newer"


def _topics(admin: Any, names: list[str]) -> dict[str, TopicFacts]:
    found: dict[str, TopicFacts] = {}
    for topic in admin.describe_topics(names):
        partitions = topic["partitions"]
        configs = _configs(admin, topic["name"])
        least = configs.get("min.insync.replicas")
        kept = int(configs.get("retention.ms") or -1)
        found[topic["name"]] = TopicFacts(
            partitions=len(partitions),
            replicas=min(len(p["replica_nodes"]) for p in partitions),
            in_sync=min(len(p["isr_nodes"]) for p in partitions),
            leaderless=sum(p["leader_id"] < 0 for p in partitions),
            min_in_sync=int(least) if least else None,
            retention_s=kept / 1000 if kept >= 0 else None,
        )
    return found


def _configs(admin: Any, name: str) -> dict[str, str]:
    try:
        found = admin.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")
    except KafkaError:
        # Reading them is a right of its own, which the bridge does not need.
        return {}
    return {key: data["value"] for key, data in found["topic"][name].items()}


def _not_creatable(admin: Any, settings: BridgeSettings) -> str | None:
    wanted = {settings.position_topic: {"num_partitions": PARTITIONS, "replication_factor": 1}}
    try:
        admin.create_topics(wanted, validate_only=True)
    except KafkaError as error:
        return words(error)
    return None


def _no_transactions(settings: BridgeSettings) -> str | None:
    # A name of its own: the bridge's would fence a running one. The same prefix, for access rules.
    producer: Any = None
    try:
        producer = KafkaProducer(
            **_client(settings),
            transactional_id=f"{settings.client_id}.doctor",
            max_block_ms=_BLOCK_MS,
        )
        producer.init_transactions()
    except KafkaError as error:
        return words(error)
    finally:
        if producer is not None:
            producer.close(timeout=1)
    return None
