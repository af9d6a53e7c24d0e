"""`isotherm-bridge doctor` against the real brokers."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bridge.readings import reading
from tests.support import ROOT, Publisher, await_true, program, topic_records, unique

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.local import Stack

pytestmark = pytest.mark.integration

KEPT = "ok   mqtt session  the broker keeps the session over reconnects"


def arguments(stack: Stack, topic: str, *more: str) -> list[str]:
    return [
        *("--mqtt", stack.mqtt, "--kafka", stack.kafka, "--topic", topic),
        *("--subscribe", f"tests/{topic}", "--client-id", topic, *more),
    ]


def doctor(stack: Stack, topic: str, *more: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "bridge", "doctor", *arguments(stack, topic, *more)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def topic(stack: Stack) -> str:
    name = unique("doctor")
    stack.create_topics(name, f"{name}.dead-letter", partitions=3)
    return name


def test_a_good_stack_has_no_failure(stack: Stack, topic: str) -> None:
    code, text = doctor(stack, topic)
    assert code == 0, text
    assert "fail" not in text
    for sentence in (
        KEPT,
        f"ok   kafka topic   {topic}: partitions 3",
        f"ok   kafka topic   {topic}.bridge will be made by the bridge",
        "ok   transactions  Kafka gives this user transactional ids",
        f"warn kafka copies  {topic} has one replica",
        "mosquitto version 2.",
    ):
        assert sentence in text


def test_mqtt_3_1_1_at_least_once(stack: Stack, topic: str, tmp_path: Path) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text('mqtt.version = "3.1.1"\nkafka.delivery = "at-least-once"\n')
    code, text = doctor(stack, topic, "--config", str(config))
    assert code == 0, text
    assert KEPT in text
    assert "warn mqtt window   MQTT 3.1.1 has no Receive Maximum" in text
    assert "transactions" not in text


def test_a_missing_topic_is_named(stack: Stack) -> None:
    missing = unique("missing")
    code, text = doctor(stack, missing)
    assert code == 1
    assert f"fail kafka topic   {missing} does not exist" in text


def test_brokers_that_are_away_are_dependencies(stack: Stack, topic: str) -> None:
    code, text = doctor(stack, topic, "--mqtt", "mqtt://127.0.0.1:1")
    assert code == 3
    assert "fail mqtt          mqtt://127.0.0.1:1: " in text
    stack.stop_kafka()
    try:
        code, text = doctor(stack, topic)
    finally:
        stack.start_kafka()
    assert code == 3
    assert f"fail kafka         {stack.kafka}: " in text
    assert KEPT in text


def test_a_running_bridge_is_not_disturbed(stack: Stack, topic: str) -> None:
    sent = [reading("g", n + 1) for n in range(3000)]
    with (
        program("bridge", "run", *arguments(stack, topic)) as bridge,
        Publisher(stack.mqtt) as publisher,
    ):
        bridge.await_line("ready")
        publisher.publish(f"tests/{topic}", sent[:1000])
        code, text = doctor(stack, topic)
        assert code == 0, text
        publisher.publish(f"tests/{topic}", sent[1000:])
        publisher.finish()
        await_true(lambda: len(topic_records(stack.kafka, topic)) >= len(sent), "all readings")
        assert bridge.end() == 0
    assert [kept.value for kept in topic_records(stack.kafka, topic)] == sent
    assert "received=3000 duplicates=0" in bridge.lines[-1]
    assert not [line for line in bridge.lines if " lost" in line]
