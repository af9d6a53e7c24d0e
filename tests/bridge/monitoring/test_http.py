"""The endpoint of a running bridge, between the real brokers."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.bridge.monitoring.test_health import get
from tests.bridge.monitoring.test_metrics import parsed
from tests.bridge.readings import reading
from tests.support import Publisher, await_true, program, unique

if TYPE_CHECKING:
    from deploy.local import Stack

pytestmark = pytest.mark.integration


def test_the_numbers_are_what_was_sent_and_ready_means_ready(stack: Stack) -> None:
    topic = unique("metrics")
    stack.create_topics(topic, f"{topic}.dead-letter")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        program(
            *("bridge", "run", "--mqtt", stack.mqtt, "--kafka", stack.kafka, "--topic", topic),
            *("--subscribe", f"tests/{topic}", "--client-id", topic),
            *("--metrics", f"127.0.0.1:{port}"),
        ) as bridge,
        Publisher(stack.mqtt) as publisher,
    ):

        def numbers() -> dict[str, float]:
            return parsed(get(port, "/metrics")[1])

        bridge.await_line("ready")
        assert get(port, "/readyz") == (200, "ok\n")
        for part in range(10):
            sent = [reading("g", part * 200 + n + 1) for n in range(198)]
            publisher.publish(f"tests/{topic}", [*sent, b"hello", b""])
            assert numbers()["messages_received_total"] <= 200 * (part + 1)
        publisher.finish()
        await_true(lambda: numbers()["messages_acknowledged_total"] == 2000, "all acknowledged")
        found = numbers()
        assert found["messages_received_total"] == 2000
        assert found["readings_delivered_total"] == 1980
        assert found["records_rejected_total not_json"] == 20
        assert found["messages_in_flight"] == found["oldest_unacknowledged_age_seconds"] == 0
        assert found["mqtt_up"] == found["kafka_up"] == found["ready"] == 1

        stack.stop_kafka()
        try:
            # Nothing is sent yet: an idle bridge sees it too.
            await_true(lambda: get(port, "/readyz")[0] == 503, "the bridge not to be ready")
            assert "Kafka" in get(port, "/readyz")[1]
            assert get(port, "/healthz") == (200, "ok\n")
            publisher.publish(f"tests/{topic}", [reading("g", n) for n in range(2001, 2011)])
            publisher.finish()
            await_true(
                lambda: numbers()["oldest_unacknowledged_age_seconds"] > 1, "messages to grow old"
            )
            assert numbers()["messages_in_flight"] == 10
        finally:
            stack.start_kafka()
        await_true(lambda: numbers()["readings_delivered_total"] == 1990, "the rest")
        await_true(lambda: get(port, "/readyz")[0] == 200, "the bridge to be ready again")

        stack.stop_mosquitto()
        stack.start_mosquitto()
        await_true(lambda: numbers()["mqtt_reconnects_total"] == 1, "the reconnect")
        assert numbers()["mqtt_sessions_lost_total"] == 0
        assert bridge.end() == 0
