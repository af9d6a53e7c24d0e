"""What stands in Kafka afterwards: all, once, in order, under the right key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition

from benchmarks.bridge.readings import FIRST
from deploy.errors import ProgramFailedError

_PARTS: Final = re.compile(rb'^{"guid":"([^"]*)".*"n":(\d+)}$')
_PATIENCE_S: Final = 5.0


class Topic:
    """A topic of a benchmark, seen from outside.

    Args:
        kafka: ``host:port``.
        name: the topic.
        partitions: how many it has.
    """

    def __init__(self, kafka: str, name: str, partitions: int) -> None:
        self._partitions = [TopicPartition(name, number) for number in range(partitions)]
        self._consumer: Any = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": name,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )

    def written(self) -> int:
        """The offsets in use: records, and the markers of transactions."""
        return sum(
            self._consumer.get_watermark_offsets(partition, timeout=_PATIENCE_S)[1]
            for partition in self._partitions
        )

    def values(self) -> list[tuple[int, bytes, bytes]]:
        """All committed records: partition, key, value."""
        self._consumer.assign(self._partitions)
        found: list[tuple[int, bytes, bytes]] = []
        open_ends = len(self._partitions)
        while open_ends:
            for message in self._consumer.consume(10_000, _PATIENCE_S):
                if message.error() is None:
                    found.append((message.partition(), message.key(), message.value()))
                else:
                    open_ends -= 1
        return found

    def close(self) -> None:
        """Let go of it."""
        self._consumer.close()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        lost: readings that are not there.
        doubled: readings that are there again.
        disordered: readings that stand behind a later one of their sensor.
        wrong: records that are no reading of the benchmark, or have another key than their guid,
            or stand in another partition than the sensor's other ones.
    """

    lost: int
    doubled: int
    disordered: int
    wrong: int

    @property
    def good(self) -> bool:
        """Whether nothing is amiss."""
        return not (self.lost or self.doubled or self.disordered or self.wrong)


def judge(records: list[tuple[int, bytes, bytes]], count: int) -> Verdict:
    """Compare with the first `count` readings of the benchmark.

    Raises:
        ProgramFailedError: there are none at all.
    """
    if not records:
        raise ProgramFailedError("nothing arrived in Kafka")
    seen: set[int] = set()
    last: dict[bytes, int] = {}
    homes: dict[bytes, int] = {}
    doubled = disordered = wrong = 0
    for partition, key, value in records:
        found = _PARTS.match(value)
        if found is None or found[1] != key or homes.setdefault(key, partition) != partition:
            wrong += 1
            continue
        n = int(found[2]) - FIRST
        if n in seen:
            doubled += 1
        elif n < last.get(key, 0):
            disordered += 1
        seen.add(n)
        last[key] = max(n, last.get(key, 0))
    lost = count - len(seen & set(range(count)))
    return Verdict(lost, doubled, disordered, wrong)
