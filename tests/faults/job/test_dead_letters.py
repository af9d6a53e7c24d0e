"""A dead-letter topic that is missing or refuses: held back with an alarm, never dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import admin as librdkafka
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from tests.bridge.kafka.sink_bench import SINKS
from tests.bridge.monitoring.test_health import get
from tests.bridge.readings import reading
from tests.faults.flow import Flow
from tests.support import Publisher, await_true, topic_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.local import Stack

pytestmark = pytest.mark.integration

BAD = b"no reading" * 20


def limit(stack: Stack, topic: str, size: int) -> None:
    """Have a topic refuse batches above a size."""
    with KafkaAdminClient(bootstrap_servers=stack.kafka) as admin:
        wanted = {"max.message.bytes": str(size)}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])
    # The controller has it then; the broker that takes records hears of it a little later.
    broker = librdkafka.AdminClient({"bootstrap.servers": stack.kafka})
    where = librdkafka.ConfigResource("topic", topic)  # type: ignore[attr-defined] # its stub

    def heard() -> bool:
        found = broker.describe_configs([where])[where].result()
        return bool(found["max.message.bytes"].value == str(size))

    await_true(heard, "the limit of the topic")


def too_small(stack: Stack, topic: str) -> Callable[[], None]:
    """Refuses all; how it is mended."""
    limit(stack, topic, 100)
    return lambda: limit(stack, topic, 1_048_588)


def deleted(stack: Stack, topic: str) -> Callable[[], None]:
    """Is not there; how it is mended."""
    with KafkaAdminClient(bootstrap_servers=stack.kafka) as admin:
        admin.delete_topics([topic])
    return lambda: stack.create_topics(topic)


@pytest.mark.parametrize(
    ("harm", "client"),
    (
        (too_small, "librdkafka"),
        pytest.param(too_small, "kafka-python", marks=pytest.mark.faults),
        pytest.param(deleted, "librdkafka", marks=pytest.mark.faults),
        pytest.param(deleted, "kafka-python", marks=pytest.mark.faults),
    ),
)
def test_a_dead_letter_that_kafka_does_not_take_is_held_back_until_it_does(
    stack: Stack,
    harm: Callable[[Stack, str], Callable[[], None]],
    client: str,
) -> None:
    with Flow(stack, client, print) as flow, flow.bridge() as bridge:
        letters = f"{flow.name}.dead-letter"
        bridge.await_line("ready")
        mend = harm(stack, letters)
        with Publisher(stack.mqtt) as publisher:
            good = [reading(f"guid-{n}", 1) for n in range(50)]
            publisher.publish(flow.mqtt_topic, good[:25])
            publisher.finish()
            await_true(lambda: len(flow.values()) == 25, "those before it")
            publisher.publish(flow.mqtt_topic, [BAD, *good[25:]])
            publisher.finish()
            said = bridge.await_line("kafka refuses this bridge", timeout=120)
            assert f"topic {letters} takes no dead letter" in said or (
                f"topic {letters} does not exist" in said
            )
            assert flow.numbers()["kafka_errors_total"] > 0
            code, why = get(flow.port, "/readyz")
            assert code == 503
            assert "Kafka does not take what is delivered" in why
            assert flow.numbers()["messages_in_flight"] > 0
            mend()
            bridge.await_line("kafka connected", timeout=120)
            await_true(lambda: len(flow.values()) == 50, "those behind it")
        assert [kept.value for kept in topic_records(stack.kafka, letters)] == [BAD]
        assert get(flow.port, "/readyz")[0] == 200
        assert bridge.end() == 0
    assert sorted(flow.values()) == sorted(good)


@pytest.mark.parametrize(("client", "delivery"), SINKS)
def test_a_large_letter_goes_into_a_topic_with_a_small_limit_in_parts(
    stack: Stack, client: str, delivery: str
) -> None:
    with Flow(stack, client, print) as flow:
        letters = f"{flow.name}.dead-letter"
        limit(stack, letters, 50_000)
        large = bytes(range(128, 256)) * 2_000
        good = [reading(f"guid-{n}", 1) for n in range(20)]
        with flow.bridge("--delivery", delivery) as bridge, Publisher(stack.mqtt) as publisher:
            bridge.await_line("ready")
            publisher.publish(flow.mqtt_topic, [*good[:10], large, BAD, *good[10:]])
            publisher.finish()
            bridge.await_line("the dead-letter topic takes no record of that size", timeout=60)
            await_true(lambda: set(flow.values()) == set(good), "those behind it")
            assert bridge.end() == 0
    found = topic_records(stack.kafka, letters)
    assert BAD in [kept.value for kept in found]
    by_parts: dict[int, list[bytes]] = {}
    for kept in found:
        by_parts.setdefault(int(kept.headers["parts"]), []).append(kept.value)
    assert b"".join(by_parts[max(by_parts)]) == large
    assert len(by_parts[max(by_parts)]) == max(by_parts)
