"""Asks Kafka with kafka-python, which is always installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaProducer
from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import KafkaError

from bridge.doctor.kafka import KafkaFacts
from bridge.positions import PARTITIONS
from bridge.sinks.kp_producer import client_settings, words
from isotherm.doctor.topic import TopicFacts
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    from bridge.settings import BridgeSettings

_BLOCK_MS: Final = 8_000


def ask_kafka(settings: BridgeSettings) -> KafkaFacts:
    """See what is there; makes nothing, but for a transactional id that Kafka forgets again.

    Raises:
        SettingsError: a file of a password or a certificate cannot be used.
    """
    exactly_once = settings.delivery == "exactly-once"
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
        return KafkaFacts(unreachable=refusal("kafka", words(error)) or words(error))
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
