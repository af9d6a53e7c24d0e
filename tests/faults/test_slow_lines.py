"""A line to Kafka that is slow: batches become as small as it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.bridge.readings import reading
from tests.faults.flow import Flow
from tests.faults.network import Network
from tests.support import Publisher

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
