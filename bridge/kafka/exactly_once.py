"""What the two sinks with transactions have in common: one transaction per batch.

Kafka's transactional id is the MQTT client id, so taking it over ends what a dead bridge left open,
and shuts out one that still lives. A transaction holds the batch's records and one position record;
whoever comes next reads the positions back and knows what is delivered.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from bridge.kafka.errors import BatchTooSlowError, FencedError, SinkUnavailableError
from bridge.kafka.limits import RequestSize, TransactionTime, patiently, size_of
from bridge.kafka.position_topic import position_record

if TYPE_CHECKING:
    import threading

    from bridge.kafka.position_topic import Last, OwnRecords
    from bridge.kafka.session_notes import Notebook
    from bridge.records import Batch, Record
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability


class Producer(Protocol):
    """One client's producer, as far as it matters here."""

    def abandon(self) -> None:
        """Close it; what is not confirmed is not waited for."""


_P = TypeVar("_P", bound=Producer)


class TransactionalSink(ABC, Generic[_P]):
    """See `bridge.kafka.sink.Sink`; all of a batch is delivered, or nothing.

    Args:
        settings: brokers, topics, client id.
        kafka: notified when Kafka does not answer during a delivery.
        stopping: gives up a delivery that Kafka does not answer.
        notebook: gets what an earlier life noted of the session, and gives what to note now.
        request_bytes: how much goes to one partition at once where no topic refuses it.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        kafka: Availability,
        stopping: threading.Event,
        notebook: Notebook,
        *,
        request_bytes: int,
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._stopping = stopping
        self._notebook = notebook
        self._producer: _P | None = None
        self._life = os.urandom(8)
        self._claimed = False
        self._time = TransactionTime()
        self._late = False
        """Whether the last batch ran out of time, and it is not known yet what became of it."""
        self._request = RequestSize(request_bytes)

    @property
    @abstractmethod
    def own(self) -> OwnRecords:
        """Where this client id's position records are."""

    @abstractmethod
    def _reopen(self) -> Last:
        """Take the transactional id over, and read back what is delivered; makes the producer.

        Raises:
            SinkUnavailableError: not now.
            FencedError: another process has taken over.
        """

    @abstractmethod
    def _transact(self, producer: _P, batch: Batch) -> None:
        """Deliver a batch in one transaction; see `Sink.deliver`."""

    def open(self) -> bytes:
        """See `Sink.open`."""
        return self._reopen().positions

    def deliver(self, batch: Batch) -> None:
        """See `Sink.deliver`."""
        patiently(self._deliver, batch)

    def _deliver(self, batch: Batch) -> None:
        if self._producer is None:
            last = self._reopen()
            late, self._late = self._late, False
            # The commit whose answer never came may have been one.
            if batch.positions and last.positions.endswith(batch.positions):
                return
            if late:
                raise self._too_slow(batch)
        assert self._producer is not None
        self._time.begin()
        self._transact(self._producer, batch)

    def close(self) -> None:
        """See `Sink.close`."""
        if self._producer is not None:
            self._producer.abandon()
            self._producer = None

    def _look_for_successor(self, last: Last) -> None:
        """End here if another process wrote after this one did."""
        if self._claimed and last.is_of_another(self._life):
            raise FencedError(self._settings.client_id)

    def _take_over(self, last: Last) -> bytes:
        """Go on from what was written last, now that nobody else can write.

        Returns:
            Positions that are to be written again in the own partition, where the next life looks.
        """
        # Again: one may have come since.
        self._look_for_successor(last)
        self._notebook.found(
            last.session, there=last.life != b"", at=last.at, incomplete=self.own.incomplete
        )
        return last.positions if self.own.elsewhere else b""

    def _position_records(self, positions: bytes) -> list[Record]:
        """The records that go into the position topic with these positions; at least one."""
        client_id = self._settings.client_id
        session = self._notebook.header()
        return [
            position_record(client_id, self._life, piece, session, self.own.partitions)
            for piece in self._request.pieces(positions, client_id, session)
        ]

    def _positions_refused(self) -> None:
        """The position topic finds them too large: take less at a time, or say that none go.

        Raises:
            SinkUnavailableError: not even one goes.
        """
        if not self._request.refused():
            topic = self._settings.position_topic
            why = f"topic {topic} takes no positions; raise its max.message.bytes"
            raise SinkUnavailableError(why, refused=True)

    def _too_slow(self, batch: Batch) -> BatchTooSlowError:
        """What to raise for a batch that ran out of time, of which nothing is delivered."""
        seconds = self._time.seconds
        if self._time.too_late(size_of(batch)):
            self.close()
        count = len(batch.readings) + len(batch.dead_letters)
        return BatchTooSlowError(f"Kafka did not take {count} records in {seconds:.0f} s")
