"""A line to Kafka that is slow, and a Kafka that is sparing: batches become as small as they take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from kafka.admin import KafkaAdminClient

from tests.bridge.readings import reading
from tests.bridge.sink_bench import CLIENTS
from tests.faults.flow import Flow
from tests.faults.network import Network
from tests.support import Publisher, await_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.local import Stack

    Report = Callable[[str], None]

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def network(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(stack, tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.mark.parametrize(
    ("rate", "count", "client"),
    (
        (200_000, 25_000, "librdkafka"),
        pytest.param(200_000, 25_000, "kafka-python", marks=pytest.mark.faults),
        pytest.param(15_000, 3_000, "librdkafka", marks=pytest.mark.faults),
        pytest.param(15_000, 3_000, "kafka-python", marks=pytest.mark.faults),
    ),
)
def test_a_backlog_gets_through_a_slow_line(
    network: Network, report: Report, rate: int, count: int, client: str
) -> None:
    sent = [reading(f"guid-{n % 50}", n + 1) for n in range(count)]
    with Flow(network, client, report, kafka=network.distant_kafka) as flow:
        with flow.bridge() as bridge:
            bridge.await_line("ready")
            assert bridge.end() == 0
        with Publisher(network.mqtt) as publisher:
            publisher.publish(flow.mqtt_topic, sent)
            publisher.finish()
        network.to_kafka.rate = rate
        try:
            with flow.bridge() as bridge:
                bridge.await_line("ready", timeout=120)
                began = time.monotonic()
                flow.await_delivered(count, timeout=400)
                took = time.monotonic() - began
                errors = flow.numbers()["kafka_errors_total"]
                assert bridge.end() == 0
        finally:
            network.to_kafka.rate = 0.0
        ideal = sum(map(len, sent)) / rate
        report(f"{count} readings, {rate} B/s: {took:.0f} s, {ideal:.0f} s at best, {errors} errors")
        assert sorted(flow.values()) == sorted(sent)
        assert took < 3 * ideal + 60
        said = [line for line in bridge.lines if "kafka slow" in line]
        assert len(said) <= 2, "\n".join(said)


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_a_quota_of_kafka_slows_and_stops_nothing(
    network: Network, report: Report, client: str
) -> None:
    sent = [reading(f"guid-{n % 50}", n + 1) for n in range(15_000)]
    with Flow(network, client, report) as flow:
        with KafkaAdminClient(bootstrap_servers=network.kafka) as admin:
            quota(admin, flow.name, 100_000.0)
        with flow.bridge() as bridge, Publisher(network.mqtt) as publisher:
            bridge.await_line("ready")
            began = time.monotonic()
            publisher.publish(flow.mqtt_topic, sent)
            publisher.finish()
            flow.await_delivered(len(sent), timeout=300)
            report(f"{len(sent)} readings, quota 100 kB/s: {time.monotonic() - began:.0f} s")
            assert bridge.end() == 0
        assert sorted(flow.values()) == sorted(sent)


def quota(admin: KafkaAdminClient, client_id: str, rate: float) -> None:
    """Bound what a client id may produce, bytes a second."""
    admin.alter_client_quotas([({"client-id": client_id}, {"producer_byte_rate": rate})])
