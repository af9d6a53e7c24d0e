"""The position topic in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.kafka.position_topic import position_partition, position_record

if TYPE_CHECKING:
    from bridge.kafka.position_topic import Take


@dataclass
class Topic:
    """The position topic in memory, as a `Reader` sees it."""

    partitions: list[list[tuple[bytes, bytes, dict[str, bytes | None], int]]]
    now: int = 1
    reads: list[tuple[int, int, int]] = field(default_factory=list)
    clock: float = 0.0
    takes_s: float = 0.0

    def grow(self, partitions: int) -> None:
        self.partitions += [[] for _ in range(partitions - len(self.partitions))]

    def write(
        self, name: str, positions: bytes, *, silent: bool = False, session: bytes = b"{}"
    ) -> None:
        """As a bridge does; a silent one is of the version before, and notes no partitions."""
        count = len(self.partitions)
        record = position_record(name, b"life", positions, session, count)
        headers: dict[str, bytes | None] = dict(record.headers)
        if silent:
            del headers["partitions"]
        where = self.partitions[position_partition(name, count)]
        where.append((record.key, record.value, headers, self.now))
        self.now += 1

    def ends(self, partition: int) -> tuple[int, int]:
        return 0, len(self.partitions[partition])

    def read(self, partition: int, start: int, end: int, take: Take) -> None:
        self.reads.append((partition, start, end))
        self.clock += self.takes_s
        for record in self.partitions[partition][start:end]:
            take(*record)


def topic(partitions: int) -> Topic:
    return Topic([[] for _ in range(partitions)])
