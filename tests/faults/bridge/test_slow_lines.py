"""A line to Kafka that is slow: batches become as small as it takes."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from deploy.local.services.jars import kafka_jars
from deploy.local.services.java import find_java
from tests.bridge.kafka.sink_bench import CLIENTS
from tests.bridge.readings import reading
from tests.faults.flow import Flow
from tests.faults.network import Network
from tests.support import Publisher, await_true, topic_records

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
    with Flow(network, client, report, kafka=network.distant_kafka) as flow:
        sent = [reading(f"{flow.name}-{n % 50}", n + 1) for n in range(count)]
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
                flow.await_delivered(count, timeout=4 * count * 250 / rate + 60)
                took = time.monotonic() - began
                errors = flow.numbers()["kafka_errors_total"]
                assert bridge.end() == 0
        finally:
            network.to_kafka.rate = 0.0
        ideal = sum(map(len, sent)) / rate
        report(
            f"{count} readings, {rate} B/s: {took:.0f} s, {ideal:.0f} s at best, {errors} errors"
        )
        assert sorted(flow.values()) == sorted(sent)
        assert took < 3 * ideal + 60
        said = [line for line in bridge.lines if "kafka slow" in line]
        assert len(said) <= 2, "\n".join(said)


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_one_message_that_needs_longer_than_a_transaction_has_gets_longer(
    network: Network, report: Report, client: str
) -> None:
    # 15 s for the line, 10 s for a transaction, and nothing that could be cut.
    large, rate = b"z" * 900_000, 60_000
    with Flow(network, client, report, kafka=network.distant_kafka) as flow:
        with flow.bridge() as bridge, Publisher(network.mqtt) as publisher:
            bridge.await_line("ready")
            network.to_kafka.rate = rate
            try:
                began = time.monotonic()
                publisher.publish(flow.mqtt_topic, [large, reading(f"{flow.name}-1")])
                publisher.finish()
                flow.await_delivered(1, timeout=240)
                report(f"900 kB at {rate} B/s: {time.monotonic() - began:.0f} s")
            finally:
                network.to_kafka.rate = 0.0
            assert bridge.end() == 0
        letters = topic_records(network.kafka, f"{flow.topic}.dead-letter")
        assert [kept.value for kept in letters] == [large]


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_a_line_that_becomes_slow_under_a_large_batch(
    network: Network, report: Report, client: str
) -> None:
    with Flow(network, client, report, kafka=network.distant_kafka) as flow:
        sent = [reading(f"{flow.name}-{n % 50}", n + 1) for n in range(40_000)]
        with flow.bridge() as bridge, Publisher(network.mqtt) as publisher:
            bridge.await_line("ready")
            publisher.publish(flow.mqtt_topic, sent[:20_000])
            await_true(lambda: flow.numbers()["batch_limit_bytes"] > 1e6, "large batches")
            network.to_kafka.rate = 100_000
            try:
                began = time.monotonic()
                publisher.publish(flow.mqtt_topic, sent[20_000:])
                publisher.finish()
                flow.await_delivered(len(sent), timeout=400)
                took, errors = time.monotonic() - began, flow.numbers()["kafka_errors_total"]
                report(f"20,000 at 100 kB/s after a fast line: {took:.0f} s, {errors} errors")
            finally:
                network.to_kafka.rate = 0.0
            assert bridge.end() == 0
        assert sorted(flow.values()) == sorted(sent)


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_a_quota_of_kafka_slows_and_stops_nothing(
    network: Network, report: Report, client: str
) -> None:
    with Flow(network, client, report) as flow:
        sent = [reading(f"{flow.name}-{n % 50}", n + 1) for n in range(15_000)]
        set_quota(network.kafka, flow.name, 100_000)
        with flow.bridge() as bridge, Publisher(network.mqtt) as publisher:
            bridge.await_line("ready")
            began = time.monotonic()
            publisher.publish(flow.mqtt_topic, sent)
            publisher.finish()
            flow.await_delivered(len(sent), timeout=300)
            took, errors = time.monotonic() - began, flow.numbers()["kafka_errors_total"]
            report(f"{len(sent)} with a quota of 100 kB/s: {took:.0f} s, {errors} errors")
            assert bridge.end() == 0
        assert sorted(flow.values()) == sorted(sent)


def set_quota(kafka: str, client_id: str, rate: int) -> None:
    """Bound what a client id may produce, bytes a second."""
    command = (
        *(str(find_java() / "bin/java"), "-cp", f"{kafka_jars(print)}/*"),
        *("kafka.admin.ConfigCommand", "--bootstrap-server", kafka, "--alter"),
        *("--add-config", f"producer_byte_rate={rate}"),
        *("--entity-type", "clients", "--entity-name", client_id),
    )
    subprocess.run(command, check=True, capture_output=True)
