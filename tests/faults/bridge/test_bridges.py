"""Several bridges, and several lives of one: elsewhere, side by side, one over another."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.bridge.kafka.sink_bench import CLIENTS
from tests.faults.flow import PARTITIONS, Flow
from tests.support import await_true, unique

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.local import Stack

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_life_on_another_machine_after_others_wrote_much(
    stack: Stack, report: Callable[[str], None], tmp_path: Path, client: str
) -> None:
    with Flow(stack, client, report) as flow:
        with flow.bridge() as bridge:
            bridge.await_line("ready")
            flow.start().await_sent(10_000)
            flow.kill(bridge)
        # What it noted ends up far behind what others did in the same topics.
        with Flow(stack, client, print, rate=3000, beside=flow) as other, other.bridge() as bridge:
            bridge.await_line("ready")
            other.start().await_sent(60_000)
            other.finish(bridge)
        with flow.bridge(folder=tmp_path) as bridge:
            assert "session=resumed" in bridge.await_line("mqtt connected")
            bridge.await_line("ready")
            flow.finish(bridge, "60,000 readings by others meanwhile")


@pytest.mark.parametrize("client", CLIENTS)
def test_two_bridges_on_one_topic_that_are_killed_in_turn(
    stack: Stack, report: Callable[[str], None], client: str
) -> None:
    draw = random.Random()
    with (
        Flow(stack, client, report, rate=1500) as one,
        Flow(stack, client, report, rate=1500, beside=one) as two,
    ):
        flows = (one, two)
        for flow in flows:
            with flow.bridge() as bridge:
                bridge.await_line("ready")
                flow.start()
                flow.kill(bridge)
        for _ in range(5):
            with one.bridge() as first, two.bridge() as second:
                first.await_line("ready")
                second.await_line("ready")
                for flow, bridge in ((one, first), (two, second)):
                    threading.Event().wait(draw.uniform(0.0, 1.0))
                    flow.kill(bridge)
        with one.bridge() as first, two.bridge() as second:
            two.source.stop()
            one.finish(first, "6 kills, beside another bridge")
            two.finish(second, "6 kills, beside another bridge")


@pytest.mark.parametrize("client", CLIENTS)
def test_one_process_after_another_takes_the_client_id_over(
    stack: Stack, report: Callable[[str], None], client: str
) -> None:
    with Flow(stack, client, report, rate=2000) as flow, ExitStack() as lives:
        older = lives.enter_context(flow.bridge())
        older.await_line("ready")
        source = flow.start()
        for _ in range(4):
            source.await_sent(3_000)
            newer = lives.enter_context(flow.bridge())
            newer.await_line("ready")
            assert older.process.wait(60) == 1
            older.end()
            flow.note(older)
            assert "another bridge runs under the client id" in older.lines[-1]
            older = newer
        flow.finish(older, "taken over 4 times")


@pytest.mark.parametrize("client", CLIENTS)
def test_readers_are_held_up_for_seconds_by_what_a_dead_bridge_left_open(
    stack: Stack, report: Callable[[str], None], client: str
) -> None:
    """It is not started again, and another bridge goes on writing."""
    with (
        Flow(stack, client, report, rate=4000) as dying,
        Flow(stack, client, report, rate=500, beside=dying) as living,
        living.bridge() as survivor,
    ):
        survivor.await_line("ready")
        living.start()
        started = False
        for _ in range(20):
            with dying.bridge() as bridge:
                bridge.await_line("ready")
                if not started:
                    dying.start()
                    started = True
                dying.source.await_sent(1_000)
                dying.kill(bridge)
            if held_back(stack.kafka, dying.topic):
                break
        else:
            pytest.fail("20 kills, and none left a transaction open")
        began = time.monotonic()
        await_true(lambda: not held_back(stack.kafka, dying.topic), "Kafka to end it")
        waited = f"readers waited {time.monotonic() - began:.1f} s for Kafka to end it"
        # 10 s of the transaction, and as much until Kafka looks.
        assert time.monotonic() - began < 40
        living.finish(survivor, waited)
        with dying.bridge() as bridge:
            dying.finish(bridge, waited)


def held_back(kafka: str, topic: str) -> bool:
    """Whether an old transaction stands open: its place does not move while others write."""
    first = stable(kafka, topic)
    threading.Event().wait(1)
    second = stable(kafka, topic)
    return any(a == b < end for (a, _), (b, end) in zip(first, second, strict=True))


def stable(kafka: str, topic: str) -> list[tuple[int, int]]:
    """Of each partition, where readers of committed records end, and where all records end."""
    ends = []
    for isolation in ("read_committed", "read_uncommitted"):
        consumer = Consumer(
            {"bootstrap.servers": kafka, "group.id": unique("t"), "isolation.level": isolation}
        )
        try:
            ends.append(
                [
                    consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=60)[1]
                    for n in range(PARTITIONS)
                ]
            )
        finally:
            consumer.close()
    return list(zip(*ends, strict=True))
