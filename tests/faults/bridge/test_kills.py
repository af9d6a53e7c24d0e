"""`kill -9` in full flow."""

from __future__ import annotations

import random
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.bridge.kafka.sink_bench import CLIENTS
from tests.faults.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.local import Stack

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("client", "kills"),
    (
        ("librdkafka", 3),
        pytest.param("librdkafka", 20, marks=pytest.mark.faults),
        pytest.param("kafka-python", 20, marks=pytest.mark.faults),
    ),
)
def test_random_kills_lose_and_double_nothing(
    stack: Stack, report: Callable[[str], None], client: str, kills: int
) -> None:
    draw = random.Random()
    with Flow(stack, client, report) as flow:
        with flow.bridge() as bridge:
            bridge.await_line("ready")
            flow.start()
            flow.kill(bridge)
        for _ in range(kills - 1):
            with flow.bridge() as bridge:
                assert "session=resumed" in bridge.await_line("mqtt connected")
                bridge.await_line("ready")
                # The moment is drawn: somewhere in a transaction, a commit or a PUBACK.
                threading.Event().wait(draw.uniform(0.0, 1.5))
                flow.kill(bridge)
        with flow.bridge() as bridge:
            bridge.await_line("ready")
            flow.finish(bridge, f"{kills} kills")


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_a_bridge_that_stood_still_for_a_minute_goes_on(
    stack: Stack, report: Callable[[str], None], client: str
) -> None:
    """As when its machine slept: both brokers have given it up meanwhile."""
    with Flow(stack, client, report, rate=1000) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        flow.start().await_sent(3_000)
        bridge.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(60)
        bridge.process.send_signal(signal.SIGCONT)
        assert "session=resumed" in bridge.await_line("mqtt connected")
        flow.source.await_sent(2_000)
        flow.finish(bridge, "stood still for 60 s")
