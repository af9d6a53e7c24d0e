"""What Kafka turned out to take: how long a transaction needs, and how much goes into a request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bridge.kafka.positions import POSITION_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.records import Batch

USUAL_S: Final = 10.0
"""After this Kafka aborts what a bridge left open that died and was not started again; until then
readers of committed records wait."""
_MOST_S: Final = 900.0
"""Kafka's own bound (transaction.max.timeout.ms) by default."""
_LEAST_S: Final = 1.0
_RAN_OUT: Final = 0.8
_SAME_SIZE: Final = 0.75

_SMALL_BYTES: Final = 1_024
_ALONE_BYTES: Final = 1
"""Every record goes alone: producers take at least one, however large."""
_RECORD_OVERHEAD: Final = 256
"""Of a batch with one record and one header (KIP-98: 61 bytes and a few more for each)."""


class TransactionTime:
    """How long a transaction may take: 10 s, and longer only where one message needs longer.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = USUAL_S
        self._most = _MOST_S
        self._clock = clock
        self._began = 0.0
        self._late = 0

    @property
    def milliseconds(self) -> int:
        """The same for a client's configuration."""
        return int(self.seconds * 1000)

    @property
    def ran_out(self) -> bool:
        """Whether what began last has taken so long that time is the likely cause of its end."""
        return self._clock() - self._began >= _RAN_OUT * self.seconds

    def begin(self) -> None:
        """A transaction begins."""
        self._began = self._clock()

    def too_late(self, size: int) -> bool:
        """A transaction ran out of time; whether a new producer is needed, with more of it.

        Args:
            size: bytes of its batch. Where it is about that of the last one that ran out, whoever
                gives the batches could not make it smaller.
        """
        before, self._late = self._late, size
        if not before or size < _SAME_SIZE * before or self.seconds >= self._most:
            return False
        self.seconds = min(self._most, 2 * self.seconds)
        return True

    def in_time(self) -> bool:
        """A transaction went through; whether a new producer is needed, with the usual time."""
        self._late = 0
        usual = min(USUAL_S, self._most)
        if self.seconds <= usual or self._clock() - self._began > usual / 2:
            return False
        self.seconds = usual
        return True

    def refused(self) -> None:
        """Kafka takes no transaction that may last this long (transaction.max.timeout.ms)."""
        self._most = self.seconds = max(_LEAST_S, self.seconds / 2)


class RequestSize:
    """How many bytes of records go to one partition at once.

    A topic refuses what is above its max.message.bytes, for the whole of what came together. So
    that is halved until it is taken, and what was taken is remembered.

    Args:
        usual: what a producer has where no topic refuses it.
    """

    def __init__(self, usual: int) -> None:
        self.bytes = usual

    def refused(self) -> bool:
        """It was too much; whether it may be made smaller."""
        if self.bytes == _ALONE_BYTES:
            return False
        self.bytes = self.bytes // 2 if self.bytes >= 2 * _SMALL_BYTES else _ALONE_BYTES
        return True

    def pieces(self, positions: bytes, client_id: str, session: bytes) -> list[bytes]:
        """Positions cut for one record each; one that is empty for none.

        Args:
            positions: of a batch.
            client_id: the key of each record.
            session: the header that each carries (`bridge.kafka.session_notes`): some 2 kB with
                many filters.
        """
        room = self.bytes - _RECORD_OVERHEAD - len(client_id.encode()) - len(session)
        size = max(1, room // POSITION_BYTES) * POSITION_BYTES
        starts = range(0, max(1, len(positions)), size)
        return [positions[start : start + size] for start in starts]


class SmallerRequestsError(Exception):
    """Within a sink: the producer was given up for one with smaller requests; go on with it.

    Args:
        remaining: what is to be delivered by it.
    """

    def __init__(self, remaining: Batch) -> None:
        self.remaining = remaining
        super().__init__("smaller requests")


def patiently(deliver: Callable[[Batch], None], batch: Batch) -> None:
    """Deliver a batch, with smaller requests until the topic takes them; a few tries are enough."""
    while True:
        try:
            deliver(batch)
        except SmallerRequestsError as error:
            batch = error.remaining
        else:
            return


def size_of(batch: Batch) -> int:
    """Bytes of the values and positions of a batch."""
    return len(batch.positions) + sum(
        len(record.value) for record in (*batch.readings, *batch.dead_letters)
    )
