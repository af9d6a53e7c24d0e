"""SIGTERM at the job, whatever it is about: it ends with 0 in under 10 s, and nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.aggregator.support.jobs import (
    analytics,
    counted,
    lines,
    running,
    send,
    submitted,
    until,
)
from tests.aggregator.support.records import oracle, reading
from tests.support import unique

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from deploy.local import Stack

pytestmark = [pytest.mark.integration, pytest.mark.faults]

LIMIT = 10.0
LARGE = 4_000_000
"""Readings in a batch that takes longer than the limit."""


def end(process: subprocess.Popen[str], *, signals: int = 1) -> float:
    """Signal it, once or several times, and see it end well; how many seconds that took."""
    start = time.monotonic()
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert process.wait(LIMIT - (time.monotonic() - start)) == 0
    return time.monotonic() - start


def counting(pid: int) -> bool:
    """Whether a process or one below it is a worker of Spark's: they begin with the first batch."""
    folder = Path(f"/proc/{pid}")
    try:
        if b"pyspark.daemon" in (folder / "cmdline").read_bytes():
            return True
        below = [path.read_text().split() for path in folder.glob("task/*/children")]
    except OSError:
        return False
    return any(counting(int(child)) for children in below for child in children)


def quiet(errors: Path) -> None:
    """No stack trace for what is meant."""
    text = errors.read_text()
    assert "\n\tat " not in text.replace("\tat.yawk", "")
    assert "Traceback" not in text


def test_while_it_waits_for_the_topic(
    stack: Stack, tmp_path: Path, report: Callable[[str], None]
) -> None:
    errors = tmp_path / "out.err"
    command = submitted(stack, unique("nowhere"), tmp_path / "s.jsonl")
    with running(command, tmp_path / "out") as process:
        until(lambda: "missing=topic" in errors.read_text(), process)
        report(f"{end(process):.1f} s")
    quiet(errors)


def test_while_there_is_no_kafka(
    stack: Stack, topic: str, tmp_path: Path, report: Callable[[str], None]
) -> None:
    errors = tmp_path / "out.err"
    stack.stop_kafka()
    try:
        with running(submitted(stack, topic, tmp_path / "s.jsonl"), tmp_path / "out") as process:
            until(lambda: "missing=broker" in errors.read_text(), process)
            report(f"{end(process):.1f} s")
    finally:
        stack.start_kafka()
    quiet(errors)


@pytest.mark.parametrize("signals", (1, 3))
def test_while_kafka_is_away(
    stack: Stack, topic: str, tmp_path: Path, report: Callable[[str], None], signals: int
) -> None:
    errors = tmp_path / "out.err"
    snapshots = tmp_path / "s.jsonl"
    with running(submitted(stack, topic, snapshots), tmp_path / "out") as process:
        until(lambda: lines(snapshots), process)
        stack.stop_kafka()
        try:
            until(lambda: "missing=broker" in errors.read_text(), process)
            report(f"{end(process, signals=signals):.1f} s")
        finally:
            stack.start_kafka()
    quiet(errors)


def test_while_kafka_hangs_within_a_batch(
    stack: Stack, topic: str, tmp_path: Path, report: Callable[[str], None]
) -> None:
    errors = tmp_path / "out.err"
    snapshots = tmp_path / "s.jsonl"
    kafka = next(service for service in stack.services if service.name == "kafka").child
    assert kafka is not None
    large(stack, topic, LARGE // 2)
    with running(submitted(stack, topic, snapshots), tmp_path / "out") as process:
        until(lambda: counting(process.pid), process)
        os.kill(kafka.pid, signal.SIGSTOP)
        try:
            report(f"{end(process):.1f} s")
        finally:
            os.kill(kafka.pid, signal.SIGCONT)
    quiet(errors)


@pytest.mark.parametrize("signals", (1, 3))
def test_in_the_middle_of_a_batch_that_takes_longer(
    stack: Stack, topic: str, tmp_path: Path, report: Callable[[str], None], signals: int
) -> None:
    snapshots = tmp_path / "s.jsonl"
    errors = tmp_path / "out.err"
    records = large(stack, topic, LARGE)
    command = [*submitted(stack, topic, snapshots), "--scope", "both"]
    with running(command, tmp_path / "out") as process:
        until(lambda: counting(process.pid), process)
        took = end(process, signals=signals)
    assert lines(snapshots) == []
    assert "is left to the next start" in errors.read_text()
    quiet(errors)
    with running(command, tmp_path / "out") as process:
        send(stack, topic, records[:1])
        until(lambda: counted(snapshots) == LARGE + 1, process)
        report(f"{took:.1f} s")
        end(process)
    total = analytics(lines(snapshots)[-1]["scopes"]["since_start"])
    assert total.total_messages == LARGE + 1
    expected = oracle([*records, *records[:1]])
    assert total.total_sensors == expected.total_sensors


def large(stack: Stack, topic: str, count: int) -> list[bytes]:
    """Fill a topic; every record stands in it equally often."""
    records = [reading(f"s{number}", "CA", number / 100) for number in range(1000)]
    batch = [{"value": value} for value in records]
    producer = Producer(
        {"bootstrap.servers": stack.kafka, "queue.buffering.max.messages": 200_000, "acks": 1}
    )
    for _ in range(count // len(records)):
        while producer.produce_batch(topic, [dict(row) for row in batch]) < len(batch):
            raise AssertionError
        while len(producer) > 100_000:
            producer.poll(0.05)
    assert producer.flush(60) == 0
    return records
