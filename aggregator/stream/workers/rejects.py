"""What a worker hands on of records that are no readings, so that the driver can write letters.

A few travel with their bytes. In a flood only their place in the topic does, and the driver reads
them again: neither a worker nor Spark's driver holds more of them than `CARRIED_BYTES` a partition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS: Final = (
    ("partition", "INT", pa.int32()),
    ("offset", "BIGINT", pa.int64()),
    ("last_offset", "BIGINT", pa.int64()),
    ("raw_key", "BINARY", pa.binary()),
    ("raw", "BINARY", pa.binary()),
)
"""A rejected record has its `offset` in a `partition` of the topic, its key and its value. With a
`last_offset` the row is for all rejected records from `offset` to there, and has no bytes."""

NAMES: Final = ("reason", *(name for name, _, _ in COLUMNS))

CARRIED_BYTES: Final = 1 << 20
"""Of keys and values that a worker hands on from one task: some 5,000 records, and what Spark sends
to its driver in one message (spark.task.maxDirectResultSize)."""

_ROW_BYTES: Final = 50


class Rejects:
    """The rejected records of one task; a topic's partition comes in order of its offsets.

    Args:
        carried_bytes: how much travels with its bytes.
    """

    def __init__(self, carried_bytes: int = CARRIED_BYTES) -> None:
        self._left = carried_bytes
        self._floods: dict[int, list[Any]] = {}

    def take(self, batch: Any, refused: Iterable[tuple[int, str]]) -> list[Any]:
        """Note the rejected records of one Arrow batch of the Kafka source.

        Args:
            batch: with the columns ``value``, ``key``, ``partition`` and ``offset``; without the
                last nothing is noted.
            refused: place in the batch and reason of each, in order.

        Returns:
            Rows with `NAMES`, of those that travel with their bytes.
        """
        if "offset" not in batch.schema.names:
            return []
        values, keys = batch.column("value"), batch.column("key")
        partitions, offsets = (batch.column(name).to_pylist() for name in ("partition", "offset"))
        rows = []
        for index, reason in refused:
            partition, offset = partitions[index], offsets[index]
            if self._left >= 0:
                key, value = keys[index].as_py(), values[index].as_py()
                self._left -= len(key or b"") + len(value or b"") + _ROW_BYTES
                if self._left >= 0:
                    rows.append((reason, partition, offset, None, key, value))
                    continue
            # What is too large for the room that is left ends it: a flood is one range.
            flood = self._floods.setdefault(
                partition, [reason, partition, offset, offset, None, None]
            )
            flood[3] = offset
        return rows

    def rest(self) -> list[Any]:
        """Rows with `NAMES`, of those that did not travel: a range for each partition."""
        return [tuple(flood) for flood in self._floods.values()]
