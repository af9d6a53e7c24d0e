"""Readings under way through a bridge, and what became of them."""

from __future__ import annotations

import json
import logging
import re
import signal
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from confluent_kafka import Consumer, TopicPartition

from deploy.local.ports import free_port
from tests.bridge.monitoring.test_health import get
from tests.bridge.monitoring.test_metrics import parsed
from tests.bridge.readings import reading
from tests.support import PATIENCE_S, Program, Publisher, await_true, topic_records, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GUIDS = 50
PARTITIONS = 3
GROWTH = 70 * 1024 * 1024
"""The most that a bridge may grow in an outage, bytes: a window of 20,000 small messages is 20 MB,
the Kafka client has them once more while they are sent, and clients keep buffers. What queued
without a bound would be a multiple."""
_PIECE = 50
_QUIET = logging.getLogger("tests.reader")
_QUIET.setLevel(logging.CRITICAL + 1)


def resident(bridge: Program) -> int:
    """VmRSS in bytes (proc_pid_status(5))."""
    status = Path(f"/proc/{bridge.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


class Source:
    """Sensors that send without end, each its own sequence.

    Args:
        mqtt: the broker's address.
        topic: where to; its last level is what their guids begin with.
        rate: readings a second; as fast as the broker takes them if not given.
    """

    def __init__(self, mqtt: str, topic: str, rate: float = 1e6) -> None:
        self.sent = 0
        self._mqtt, self._topic, self._rate = mqtt, topic, rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        name = self._topic.rpartition("/")[2]
        began = time.monotonic()
        with Publisher(self._mqtt) as publisher:
            while not self._stop.is_set():
                piece = range(self.sent, self.sent + _PIECE)
                publisher.publish(
                    self._topic, [reading(f"{name}-{n % GUIDS}", n // GUIDS + 1) for n in piece]
                )
                self.sent += _PIECE
                ahead = self.sent / self._rate - (time.monotonic() - began)
                self._stop.wait(max(0.0, ahead))
            publisher.finish()

    def stop(self) -> int:
        """How many readings the MQTT broker has acknowledged."""
        self._stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self.sent

    def await_sent(self, more: int) -> None:
        goal = self.sent + more
        await_true(lambda: self.sent >= goal, f"{more} more readings to be sent")


class Reader:
    """Reads committed records as they come.

    Args:
        kafka: the broker.
        topic: all of it.
        name: what the guids begin with that count.
    """

    def __init__(self, kafka: str, topic: str, name: str) -> None:
        self._name = name.encode()
        self.count = 0
        self.longest_pause = 0.0
        """Between two looks that found something, seconds."""
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": name,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            },
            logger=_QUIET,
        )
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        last: float | None = None
        while not self._stop.is_set():
            found = sum(
                (message.key() or b"").startswith(self._name)
                for message in self._consumer.consume(1000, 0.1)
                if message.error() is None
            )
            if not found:
                continue
            now = time.monotonic()
            if last is not None:
                self.longest_pause = max(self.longest_pause, now - last)
            last = now
            self.count += found

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()


class Outcome(NamedTuple):
    """What became of what was sent."""

    sent: int
    delivered: int
    lost: int
    doubled: int
    disordered: int


class Brokers(Protocol):
    """The brokers of a flow, such as a stack's."""

    @property
    def mqtt(self) -> str:
        """URL."""

    @property
    def kafka(self) -> str:
        """``host:port``."""

    def create_topics(self, *names: str, partitions: int = 1) -> None:
        """Create Kafka topics."""


class Flow:
    """One route under fire: its source, its bridges' lives, its reader.

    Args:
        brokers: as the source and the reader see them.
        client: the Kafka client of its bridges.
        report: takes the line with the numbers.
        mqtt, kafka: the brokers as the bridge sees them, where that differs.
        rate: readings a second; as fast as the broker takes them if not given.
        beside: one with whom it shares the Kafka topics.
    """

    def __init__(
        self,
        brokers: Brokers,
        client: str,
        report: Callable[[str], None],
        *,
        mqtt: str = "",
        kafka: str = "",
        rate: float = 1e6,
        beside: Flow | None = None,
    ) -> None:
        self.name = unique("fault")
        self.topic: str = beside.topic if beside else self.name
        self.kafka = brokers.kafka
        self.mqtt_topic = f"tests/{self.name}"
        self._rate = rate
        self._mqtt = brokers.mqtt
        self._report = report
        self._redelivered = self._suppressed = 0
        self.port = 0
        """Where the newest life tells its numbers."""
        self._options = (
            *("--mqtt", mqtt or brokers.mqtt, "--kafka", kafka or brokers.kafka),
            *("--topic", self.topic, "--subscribe", self.mqtt_topic, "--client-id", self.name),
            *("--kafka-client", client),
        )
        if beside is None:
            brokers.create_topics(self.topic, f"{self.topic}.dead-letter", partitions=PARTITIONS)

    def __enter__(self) -> Self:
        self._running = ExitStack()
        self._reader = Reader(self.kafka, self.topic, self.name)
        self._running.callback(self._reader.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> Source:
        """Begin to send; once the MQTT broker has the session."""
        self.source = Source(self._mqtt, self.mqtt_topic, self._rate)
        self._running.callback(self.source.stop)
        return self.source

    @contextmanager
    def bridge(self, *more: str, folder: Path | None = None) -> Iterator[Program]:
        """One life; ended in whatever way, it is dead afterwards."""
        self.port = free_port()
        metrics = ("--metrics", f"127.0.0.1:{self.port}")
        life = Program("bridge", "run", *self._options, *metrics, *more, folder=folder)
        try:
            yield life
        finally:
            life.end(signal.SIGKILL)

    def numbers(self) -> dict[str, float]:
        """What the bridge counts."""
        return parsed(get(self.port, "/metrics")[1])

    def values(self) -> list[bytes]:
        """What stands in Kafka, as far as it is committed."""
        return [kept.value for kept in topic_records(self.kafka, self.topic)]

    def kill(self, bridge: Program) -> None:
        """By SIGKILL, in the middle of what it does."""
        numbers = self.numbers()
        bridge.end(signal.SIGKILL)
        self._redelivered += int(numbers["messages_redelivered_total"])
        self._suppressed += int(numbers["messages_suppressed_total"])

    def note(self, bridge: Program) -> None:
        """What one that ended by itself says that it did."""
        [line] = [line for line in bridge.lines if " stopped drained=" in line]
        facts = dict(re.findall(r"(\w+)=(\d+)", line))
        self._redelivered += int(facts["duplicates"])
        self._suppressed += int(facts["suppressed"])

    def await_delivered(self, count: int, timeout: float = PATIENCE_S) -> None:
        await_true(lambda: self._reader.count >= count, f"{count} readings in Kafka", timeout)

    def finish(self, bridge: Program, *more: str) -> None:
        """Stop sending, wait for all, end the bridge, and look at every record.

        Args:
            bridge: the one that runs.
            more: for the line with the numbers.
        """
        sent = self.source.stop()
        # What does not come is lost, and counted below.
        with suppress(AssertionError):
            await_true(lambda: self._reader.count >= sent, f"{sent} readings in Kafka", 180)
        assert bridge.end() == 0, "\n".join(bridge.lines)
        self.note(bridge)
        outcome = self.outcome(sent)
        words = (
            f"sent {sent}, delivered {outcome.delivered}, lost {outcome.lost}, "
            f"doubled {outcome.doubled}, out of order {outcome.disordered}, "
            f"redelivered {self._redelivered}, suppressed {self._suppressed}, "
            f"longest pause {self._reader.longest_pause:.1f} s"
        )
        self._report("; ".join((words, *more)))
        assert outcome == Outcome(sent, sent, 0, 0, 0)

    def outcome(self, sent: int) -> Outcome:
        """All committed records against all that was sent."""
        found: dict[str, list[int]] = {f"{self.name}-{n}": [] for n in range(GUIDS)}
        for kept in topic_records(self.kafka, self.topic):
            guid = (kept.key or b"").decode()
            if guid.startswith(self.name):
                found[guid].append(json.loads(kept.value)["origin"]["seq"])
        each = range(1, sent // GUIDS + 1)
        return Outcome(
            sent,
            sum(map(len, found.values())),
            sum(len(set(each) - set(seqs)) for seqs in found.values()),
            sum(len(seqs) - len(set(seqs)) for seqs in found.values()),
            sum(a > b for seqs in found.values() for a, b in pairwise(seqs)),
        )
