"""Messages that are made to hurt: memory stays bounded, and good readings go on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bridge.kafka.sink_bench import CLIENTS
from tests.bridge.readings import reading
from tests.faults.flow import Flow
from tests.faults.job.test_dead_letters import limit
from tests.support import Program, Publisher, await_true, topic_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.local import Stack

    Report = Callable[[str], None]

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
PEAK = 300_000_000
"""What the bridge may take at its peak under any of these, bytes."""
USUAL_PEAK = 110_000_000
"""The same with readings alone, and the default window of 20,000."""
SOON_S = 15.0
"""Within which a good reading that follows is in Kafka."""
LARGEST = "ISOTHERM_BRIDGE_MQTT_MAX_PACKET_SIZE"
VERSION = "ISOTHERM_BRIDGE_MQTT_VERSION"

EMPTY_OBJECTS = b"{}\n" * 2_200_000
LINES = b"x\n" * 500_000
NESTED = b"[" * 4_000_000
LONG_TOPIC = "t" * 60_000
FLOOD = b"{}\n" * 10_000


def peak(bridge: Program) -> int:
    """VmHWM in bytes (proc_pid_status(5))."""
    status = Path(f"/proc/{bridge.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("name", "bomb", "times", "environment"),
    (
        ("empty objects", EMPTY_OBJECTS, 1, {LARGEST: str(16 * MIB)}),
        ("empty objects that are not kept whole", EMPTY_OBJECTS, 1, {VERSION: "3.1.1"}),
        ("lines of one byte", LINES, 1, {}),
        ("brackets", NESTED, 1, {}),
        ("as many lines as may be", FLOOD, 1, {}),
        pytest.param("15 MB", bytes(15_000_000), 60, {}, marks=pytest.mark.faults),
        pytest.param("15 MB", bytes(15_000_000), 60, {VERSION: "3.1.1"}, marks=pytest.mark.faults),
        pytest.param(
            "15 MB", bytes(15_000_000), 5, {LARGEST: str(16 * MIB)}, marks=pytest.mark.faults
        ),
    ),
)
def test_a_bomb_costs_little_memory_and_delays_nobody(  # noqa: PLR0917 one for each column
    stack: Stack,
    client: str,
    report: Report,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    bomb: bytes,
    times: int,
    environment: dict[str, str],
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with Flow(stack, client, report) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        with Publisher(stack.mqtt) as publisher:
            publisher.publish(flow.mqtt_topic, [bomb] * times)
            publisher.finish()
            began = time.monotonic()
            publisher.publish(flow.mqtt_topic, [reading(f"{flow.name}-good")])
            flow.await_delivered(1)
        took = time.monotonic() - began
        await_true(lambda: flow.numbers()["messages_in_flight"] == 0, "all to be done with")
        highest = peak(bridge)
        report(f"{times} x {name} {environment or ''}: {took:.1f} s, {highest / 1e6:.0f} MB")
        assert took < SOON_S
        assert highest < PEAK
        assert bridge.end() == 0


def test_what_is_too_large_to_keep_leaves_a_letter_that_says_what_it_was(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VERSION, "3.1.1")
    with Flow(stack, "librdkafka", print) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        good = reading("guid")
        with Publisher(stack.mqtt) as publisher:
            publisher.publish(flow.mqtt_topic, [EMPTY_OBJECTS, good, b"bad"])
            publisher.finish()
        letters = f"{flow.topic}.dead-letter"
        await_true(lambda: len(topic_records(stack.kafka, letters)) == 2, "the letters")
        await_true(lambda: flow.values() == [good], "the reading")
        [cut, _bad] = sorted(topic_records(stack.kafka, letters), key=lambda kept: -len(kept.value))
        assert EMPTY_OBJECTS.startswith(cut.value)
        assert len(cut.value) == 131_072
        detail = cut.headers["detail"].decode()
        assert f"of {len(EMPTY_OBJECTS)} with SHA-256 " in detail
        assert cut.headers["reason"] == b"too_large"
        numbers = flow.numbers()
        assert numbers["messages_acknowledged_total"] == 3
        # Another life does not meet it again.
        assert bridge.end() == 0
        with flow.bridge() as second:
            second.await_line("ready")
            assert second.end() == 0
            assert " received=0 " in second.lines[-1]


@pytest.mark.faults
def test_large_messages_wait_with_the_broker_while_kafka_is_away(
    stack: Stack, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LARGEST, str(16 * MIB))
    with Flow(stack, "librdkafka", report) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        stack.stop_kafka()
        try:
            with Publisher(stack.mqtt) as publisher:
                publisher.publish(flow.mqtt_topic, [bytes(15_000_000)] * 50)
                publisher.publish(flow.mqtt_topic, [reading(f"{flow.name}-good")])
                publisher.finish()
            bridge.await_line("kafka lost")
            await_true(lambda: flow.numbers()["waiting_bytes"] > 32 * MIB, "the bound")
            assert flow.numbers()["messages_in_flight"] < 10
            # Two keepalives: the connection stays, though nothing is read.
            with pytest.raises(AssertionError):
                bridge.await_line("mqtt lost", timeout=65)
        finally:
            stack.start_kafka()
        bridge.await_line("kafka connected", timeout=120)
        flow.await_delivered(1, timeout=120)
        highest = peak(bridge)
        report(f"50 x 15 MB with Kafka away: {highest / 1e6:.0f} MB")
        assert highest < PEAK
        assert bridge.end() == 0


@pytest.mark.parametrize(
    "client", ("librdkafka", pytest.param("kafka-python", marks=pytest.mark.faults))
)
def test_readings_alone_take_no_more_than_they_did(
    stack: Stack, report: Report, client: str
) -> None:
    with Flow(stack, client, report) as flow:
        with flow.bridge() as bridge:
            bridge.await_line("ready")
            assert bridge.end() == 0
        count = 60_000
        with Publisher(stack.mqtt) as publisher:
            publisher.publish(
                flow.mqtt_topic, (reading(f"{flow.name}-{n % 50}", n + 1) for n in range(count))
            )
            publisher.finish()
        with flow.bridge() as bridge:
            bridge.await_line("ready")
            flow.await_delivered(count)
            highest = peak(bridge)
            report(f"{count} readings, the default window: {highest / 1e6:.0f} MB")
            assert highest < USUAL_PEAK
            assert bridge.end() == 0


@pytest.mark.parametrize("delivery", ("exactly-once", "at-least-once"))
@pytest.mark.parametrize("client", CLIENTS)
def test_a_topic_with_a_small_limit_is_found_out_once(
    stack: Stack, report: Report, client: str, delivery: str
) -> None:
    count = 5_000
    with Flow(stack, client, report) as flow:
        limit(stack, flow.topic, 20_000)
        with flow.bridge("--delivery", delivery) as bridge:
            bridge.await_line("ready")
            sent = [reading(f"{flow.name}-{n % 50}", n + 1) for n in range(count)]
            began = time.monotonic()
            with Publisher(stack.mqtt) as publisher:
                publisher.publish(flow.mqtt_topic, sent)
                publisher.finish()
            flow.await_delivered(count)
            took = time.monotonic() - began
            errors = flow.numbers()["kafka_errors_total"]
            report(f"{count} readings, max.message.bytes 20,000: {took:.1f} s, {errors} errors")
            assert errors < 12
            assert bridge.end() == 0
        assert sorted(flow.values()) == sorted(sent)
