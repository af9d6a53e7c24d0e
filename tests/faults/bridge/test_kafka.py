"""Kafka stops, hangs, restarts."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from kafka.admin import KafkaAdminClient

from tests.bridge.kafka.sink_bench import CLIENTS
from tests.faults.flow import GROWTH, Flow, resident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.local import Stack

pytestmark = pytest.mark.integration


@contextmanager
def stopped(stack: Stack) -> Iterator[None]:
    stack.stop_kafka()
    try:
        yield
    finally:
        stack.start_kafka()


@contextmanager
def hanging(stack: Stack) -> Iterator[None]:
    [pid] = [s.child.pid for s in stack.services if s.name == "kafka" and s.child is not None]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# 60 s: longer than MQTT's keepalive (30 s), so that the session lives by its PINGs, and longer than
# the time that a record has inside a transaction (10 s) or a call of kafka-python (20 s).
@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("outage", (hanging, stopped))
def test_kafka_away_for_a_minute_costs_nothing_but_time(
    stack: Stack, report: Callable[[str], None], outage: Callable[[Stack], object], client: str
) -> None:
    with Flow(stack, client, report, rate=1000) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        source = flow.start()
        source.await_sent(5_000)
        with outage(stack):  # type: ignore[attr-defined]
            before = resident(bridge)
            bridge.await_line("kafka lost")
            threading.Event().wait(60)
            after = resident(bridge)
        bridge.await_line("kafka connected", timeout=120)
        source.await_sent(2_000)
        assert flow.numbers()["mqtt_reconnects_total"] == 0
        mib = f"memory {before >> 20} MiB before, {after >> 20} MiB at its end"
        flow.finish(bridge, mib)
        assert after - before < GROWTH


@pytest.mark.parametrize(
    ("client", "restarts", "kill"),
    (
        ("librdkafka", 1, False),
        pytest.param("librdkafka", 3, False, marks=pytest.mark.faults),
        pytest.param("librdkafka", 3, True, marks=pytest.mark.faults),
        pytest.param("kafka-python", 3, False, marks=pytest.mark.faults),
        pytest.param("kafka-python", 3, True, marks=pytest.mark.faults),
    ),
)
def test_kafka_restarted(
    stack: Stack, report: Callable[[str], None], client: str, restarts: int, *, kill: bool
) -> None:
    with Flow(stack, client, report, rate=3000) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        source = flow.start()
        for _ in range(restarts):
            source.await_sent(5_000)
            stack.stop_kafka(kill=kill)
            stack.start_kafka()
        source.await_sent(5_000)
        flow.finish(bridge, f"{restarts} restarts")


@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_a_position_topic_that_somebody_deletes_is_made_anew(
    stack: Stack, report: Callable[[str], None], client: str
) -> None:
    with Flow(stack, client, report, rate=1000) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        source = flow.start()
        source.await_sent(2_000)
        with KafkaAdminClient(bootstrap_servers=stack.kafka) as admin:
            admin.delete_topics([f"{flow.topic}.bridge"])
        bridge.await_line("kafka lost")
        bridge.await_line("kafka connected", timeout=120)
        flow.finish(bridge)
