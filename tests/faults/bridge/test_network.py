"""The network between the bridge and its brokers: silent, flapping, slow, misleading."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.bridge.kafka.sink_bench import CLIENTS
from tests.faults.flow import GROWTH, Flow, resident
from tests.faults.network import NOWHERE, Network
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.demo.fleet.network import Proxy
    from deploy.local import Stack

    Report = Callable[[str], None]

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def network(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(stack, tmp_path_factory.mktemp("network")) as running:
        yield running


def distant(network: Network, client: str, report: Report, rate: float = 1000) -> Flow:
    """Through both proxies."""
    return Flow(
        network,
        client,
        report,
        mqtt=network.distant_mqtt,
        kafka=network.distant_kafka,
        rate=rate,
    )


def reconnected(flow: Flow, times: int) -> bool:
    return flow.numbers()["mqtt_reconnects_total"] >= times


def proxy(network: Network, side: str) -> Proxy:
    return network.to_mqtt if side == "mqtt" else network.to_kafka


@pytest.mark.parametrize(
    ("side", "client"),
    (
        ("kafka", "librdkafka"),
        pytest.param("kafka", "kafka-python", marks=pytest.mark.faults),
        # MQTT's keepalive tells after a minute at most.
        pytest.param("mqtt", "librdkafka", marks=pytest.mark.faults),
    ),
)
def test_a_connection_that_goes_silent(
    network: Network, report: Report, side: str, client: str
) -> None:
    with distant(network, client, report) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        source = flow.start()
        source.await_sent(3_000)
        proxy(network, side).cut()
        bridge.await_line(f"{side} lost", timeout=120)
        bridge.await_line(f"{side} connected", timeout=120)
        source.await_sent(2_000)
        flow.finish(bridge, f"cut from {side} once")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("side", "client"), (("mqtt", "librdkafka"), *(("kafka", client) for client in CLIENTS))
)
def test_a_connection_that_flaps_every_two_seconds(
    network: Network, report: Report, side: str, client: str
) -> None:
    with distant(network, client, report) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        flow.start()
        for _ in range(15):
            threading.Event().wait(2)
            proxy(network, side).reset()
        flow.finish(bridge, f"cut from {side} 15 times")


@pytest.mark.faults
@pytest.mark.parametrize("delivery", ("exactly-once", "at-least-once"))
def test_a_window_that_comes_again_and_again_while_kafka_is_away(
    network: Network, report: Report, delivery: str
) -> None:
    with (
        distant(network, "librdkafka", report) as flow,
        flow.bridge("--delivery", delivery) as bridge,
    ):
        bridge.await_line("ready")
        source = flow.start()
        source.await_sent(3_000)
        network.to_kafka.silence()
        try:
            bridge.await_line("kafka lost")
            before = resident(bridge)
            for reconnects in range(1, 61):
                network.to_mqtt.reset()
                await_true(
                    partial(reconnected, flow, reconnects),
                    f"connection {reconnects} after the first",
                )
            after = resident(bridge)
        finally:
            network.to_kafka.heal()
            network.to_kafka.reset()
        bridge.await_line("kafka connected", timeout=120)
        flow.finish(bridge, f"memory {before >> 20} MiB before, {after >> 20} MiB at its end")
        assert after - before < GROWTH


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_a_kafka_that_takes_200_ms_for_each_request(
    network: Network, report: Report, client: str
) -> None:
    with distant(network, client, report, rate=400) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        network.to_kafka.delay = 0.2
        try:
            source = flow.start()
            source.await_sent(8_000)
            flow.finish(bridge, "200 ms each request")
        finally:
            network.to_kafka.delay = 0.0


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_a_kafka_that_says_it_is_elsewhere_is_named(network: Network, client: str) -> None:
    with (
        Flow(network, client, print, kafka=network.misled_kafka) as flow,
        flow.bridge() as bridge,
    ):
        assert NOWHERE in bridge.await_line("waiting for kafka")
        assert bridge.end() == 0
