"""The sink on kafka-python, exactly once; see `bridge.sinks.rd_transactions` for the protocol."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

from bridge.errors import FencedError, RecordsRefusedError, SinkError
from bridge.positions import position_record
from bridge.records import Batch
from bridge.sinks.kp_positions import KpPositions
from bridge.sinks.kp_producer import (
    Failure,
    KpProducer,
    not_delivered,
    topics,
    unavailable,
    words,
)

if TYPE_CHECKING:
    import threading

    from bridge.availability import Availability
    from bridge.notes import Notebook
    from bridge.positions import Last
    from bridge.records import Record
    from bridge.settings import BridgeSettings

TRANSACTION_TIMEOUT_MS: Final = 10_000
_GRACE_S: Final = 2.0
_ABORT: Final = "an abort awaits confirmation"
_FENCED: Final = (ProducerFencedError, InvalidProducerEpochError)


class TransactionalKafkaPythonSink:
    """See `bridge.sink.Sink`; all of a batch is delivered, or nothing.

    Args:
        settings: brokers, topics, client id.
        kafka: told when Kafka does not answer during a delivery.
        stopping: gives up a delivery that Kafka does not answer.
        notebook: is told what an earlier life noted of the session, and what to note now.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        kafka: Availability,
        stopping: threading.Event,
        notebook: Notebook,
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._stopping = stopping
        self._notebook = notebook
        self._positions = KpPositions(settings, stopping)
        self._producer: KpProducer | None = None
        self._life = os.urandom(8)
        self._claimed = False

    def open(self) -> bytes:
        """See `Sink.open`."""
        return self._reopen().positions

    def deliver(self, batch: Batch) -> None:
        """See `Sink.deliver`."""
        if self._producer is None:
            last = self._reopen()
            # The commit whose answer never came may have been one.
            if batch.positions and last.positions.endswith(batch.positions):
                return
        assert self._producer is not None
        failures: list[Failure] = []
        try:
            failures = self._transact(self._producer, batch)
        except KafkaError as error:
            self.close()
            if isinstance(error, _FENCED):
                # Time for whoever shut us out to leave its mark.
                self._stopping.wait(_GRACE_S)
            raise unavailable(self._settings, error, batch) from error
        if failures:
            # kafka-python lets a transaction with a failed record only be aborted, and its
            # producer begins best anew.
            self.close()
            self._refuse(batch, failures)

    def close(self) -> None:
        """See `Sink.close`."""
        if self._producer is not None:
            self._producer.abandon()
            self._producer = None

    def _reopen(self) -> Last:
        """Take the transactional id over, and read back what is delivered."""
        self._positions.require(topics(self._settings))
        if self._claimed:
            self._look_for_successor(self._positions.last())
        producer = KpProducer(
            self._settings,
            self._kafka,
            self._stopping,
            {
                "transactional_id": self._settings.client_id,
                "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
                # A transaction that begins before Kafka has marked the end of the last one is
                # told to come again, which is a matter of milliseconds.
                "retry_backoff_ms": 20,
            },
            # By then Kafka has aborted the transaction itself, and a new one serves better.
            longest=2 * TRANSACTION_TIMEOUT_MS / 1000,
        )
        try:
            producer.call(producer.raw.init_transactions, "the transactional id awaits release")
            last = self._positions.last()
            # Again, now that nobody else can write: one may have come since.
            self._look_for_successor(last)
            self._notebook.found(last.session, there=last.life != b"", at=last.at)
            for failure in self._transact(producer, Batch([], [])):
                raise failure.error
        except KafkaError as error:
            producer.abandon()
            raise unavailable(self._settings, error) from error
        except SinkError:
            producer.abandon()
            raise
        self._claimed = True
        self._producer = producer
        return last

    def _look_for_successor(self, last: Last) -> None:
        """End here if another process wrote after this one did."""
        if self._claimed and last.is_of_another(self._life):
            raise FencedError(self._settings.client_id)

    def _transact(self, producer: KpProducer, batch: Batch) -> list[Failure]:
        """Deliver a batch in one transaction; what failed, and then nothing is delivered."""
        producer.raw.begin_transaction()
        record = position_record(
            self._settings.client_id, self._life, batch.positions, self._notebook.header()
        )
        failures = producer.send(batch) or producer.send_to(
            self._settings.position_topic, [record], self._positions.partition
        )
        if failures:
            producer.call(producer.raw.abort_transaction, _ABORT)
        else:
            producer.call(producer.raw.commit_transaction, "a commit awaits confirmation")
        return failures

    def _refuse(self, batch: Batch, failures: list[Failure]) -> None:
        """Say which records Kafka will never take; others failed with them.

        kafka-python gives all that is under way in a transaction the error of the one that failed.

        Raises:
            RecordsRefusedError: with those.
            SinkUnavailableError: there are none.
        """
        suspects = {id(f.record) for f in failures if f.unfixable}
        # What is refused is too large. So where one is taken, those that are no larger are, too.
        by_size = sorted(
            (record for record in batch.readings if id(record) in suspects),
            key=lambda record: len(record.key) + len(record.value),
            reverse=True,
        )
        refused: list[tuple[Record, str]] = []
        for record in by_size:
            found = self._try_alone(record, batch)
            if not found:
                break
            refused.append((record, words(found[0].error)))
        if not refused:
            raise not_delivered(self._settings, failures, batch)
        out = {id(record) for record, _why in refused}
        rest = [record for record in batch.readings if id(record) not in out]
        raise RecordsRefusedError(refused, batch._replace(readings=rest))

    def _try_alone(self, record: Record, batch: Batch) -> list[Failure]:
        """What Kafka refuses of one record, which is not delivered.

        Raises:
            SinkUnavailableError: it could not be tried; the batch remains.
        """
        if self._producer is None:
            self._reopen()
        assert self._producer is not None
        producer = self._producer
        try:
            producer.raw.begin_transaction()
            failures = producer.send(Batch([record], []))
            producer.call(producer.raw.abort_transaction, _ABORT)
        except KafkaError as error:
            self.close()
            raise unavailable(self._settings, error, batch) from error
        if failures:
            self.close()
        if not all(failure.unfixable for failure in failures):
            raise not_delivered(self._settings, failures, batch)
        return failures
