"""Helpers for tests that use the real MQTT broker and the real Kafka."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deploy.local import Stack

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
QUIET_S = 5.0
_NO_LEADER_YET = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})


class Kept(NamedTuple):
    """One record as it stands in Kafka."""

    key: bytes | None
    value: bytes
    headers: dict[str, bytes]
    partition: int


def unique(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def await_true(condition: Callable[[], bool], what: str, timeout: float = PATIENCE_S) -> None:
    """Look until it is true; fail with what was waited for."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited {timeout} s for {what}"
        threading.Event().wait(0.05)


def topic_records(bootstrap: str, topic: str) -> list[Kept]:
    """All committed records of a topic, partition after partition, each in order."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": unique("tests"),
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    kept: list[Kept] = []
    try:
        partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
        for partition in partitions:
            where = TopicPartition(topic, partition, 0)
            # Where somebody goes on writing there may never be an end.
            end = _end(bootstrap, where)
            consumer.assign([where])
            kept += _read(consumer, partition, end)
    finally:
        consumer.close()
    return kept


def _read(consumer: Consumer, partition: int, end: int) -> list[Kept]:
    """The committed records of the partition that is assigned, up to an offset.

    Kafka writes the end of a transaction a moment after it has promised it, so what is hidden now
    is waited for; whoever waits for what an open transaction hides looks again.
    """
    kept: list[Kept] = []
    # A Kafka that has just come back may take long for the first answer.
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        message = consumer.poll(0.1)
        if message is None:
            continue
        error = message.error()
        offset = message.offset()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 its name
            continue
        assert offset is not None
        if offset >= end:
            break
        if error is None:
            headers: Any = message.headers() or []
            value: Any = message.value()
            key: Any = message.key()
            kept.append(Kept(key, value, dict(headers), partition))
        limit = time.monotonic() + QUIET_S
    return kept


def _end(bootstrap: str, where: TopicPartition) -> int:
    """The offset behind the last record; a Kafka that has just come back may have no leader yet."""
    limit = time.monotonic() + PATIENCE_S
    # One that reads what is committed is told the end of that, not of the partition.
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": unique("tests"),
            "isolation.level": "read_uncommitted",
        }
    )
    try:
        while True:
            try:
                return int(consumer.get_watermark_offsets(where, timeout=PATIENCE_S)[1])
            except KafkaException as error:
                if error.args[0].code() not in _NO_LEADER_YET or time.monotonic() > limit:
                    raise
                time.sleep(0.05)
    finally:
        consumer.close()


def topic_size(bootstrap: str, topic: str) -> int:
    """How many records a topic holds that was written without transactions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": unique("tests")})
    try:
        partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
        marks = [
            consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=PATIENCE_S)
            for p in partitions
        ]
        return sum(high - low for low, high in marks)
    finally:
        consumer.close()


class Publisher:
    """Publishes at QoS 1 and waits for every PUBACK; at most 500 are outstanding."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self._window = threading.Semaphore(500)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=unique("pub"), protocol=paho.MQTTv5
        )
        self._client.max_inflight_messages_set(500)
        self._client.on_publish = lambda *_: self._window.release()
        self._client.connect(address.hostname, address.port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payloads: Iterable[bytes]) -> None:
        for payload in payloads:
            assert self._window.acquire(timeout=PATIENCE_S)
            self._client.publish(topic, payload, qos=1)

    def finish(self) -> None:
        """Wait until all are acknowledged."""
        for _ in range(500):
            assert self._window.acquire(timeout=PATIENCE_S)
        self._window.release(500)


def forget_session(url: str, client_id: str) -> None:
    """Have the broker drop a session that outlives its test, subscriptions and all."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    connected = threading.Event()
    # Without a Session Expiry Interval the session ends with the connection (MQTT 5.0, 3.1.2.11.2).
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    client.on_connect = lambda *_: connected.set()
    client.connect(address.hostname, address.port, clean_start=True)
    client.loop_start()
    assert connected.wait(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


class Program:
    """A program of ours in a process of its own, with its log lines.

    Args:
        arguments: of `python -m`.
        folder: to run it there and without our environment, as on another machine.
    """

    def __init__(self, *arguments: str, folder: Path | None = None) -> None:
        inherited = {"PYTHONPATH": str(ROOT)} if folder else os.environ
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=folder or ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**inherited, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []
        self._news: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._news.put(line.rstrip("\n"))
        self._news.put(None)

    def await_line(self, word: str, timeout: float = PATIENCE_S) -> str:
        """The next log line that holds a word; earlier ones are kept in `lines`."""
        end = time.monotonic() + timeout
        while True:
            try:
                line = self._news.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"no line with {word!r} among: " + "\n".join(self.lines)
            self.lines.append(line)
            if word in line:
                return line

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it, wait, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        while not self._news.empty():
            if (line := self._news.get()) is not None:
                self.lines.append(line)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code


@contextmanager
def program(*arguments: str) -> Iterator[Program]:
    """Run a program; it is killed if the test leaves it running."""
    started = Program(*arguments)
    try:
        yield started
    finally:
        started.end(signal.SIGKILL)


@contextmanager
def mqtt_client(stack: Stack) -> Iterator[paho.Client]:
    """A client of the stack's MQTT broker, connected."""
    address = urlsplit(stack.mqtt)
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    assert address.hostname
    assert address.port
    client.connect(address.hostname, address.port)
    client.loop_start()
    try:
        await_true(client.is_connected, "the MQTT broker")
        yield client
    finally:
        client.disconnect()
        client.loop_stop()
