"""The sink on librdkafka, exactly once: one transaction per batch, with its positions in it.

Kafka's transactional id is the MQTT client id, so `init_transactions` ends what a dead bridge left
open, and shuts out one that still lives. A transaction holds the batch's records and one position
record; whoever comes next reads the positions back and knows what is delivered.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from bridge.errors import FencedError, RecordsRefusedError, SinkError, SinkUnavailableError
from bridge.positions import position_record
from bridge.records import Batch
from bridge.sinks.rd_positions import RdPositions
from bridge.sinks.rd_producer import OPEN_TIMEOUT_S, Patience, RdProducer, unavailable

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bridge.availability import Availability
    from bridge.notes import Notebook
    from bridge.positions import Last
    from bridge.records import Record
    from bridge.settings import BridgeSettings

TRANSACTION_TIMEOUT_MS: Final = 10_000
"""After this Kafka aborts what a bridge left open that died and was not started again; until then
readers of committed records wait."""
_TURN_S: Final = 1.0
_ABORT: Final = "an abort awaits confirmation"
_GRACE_S: Final = 2.0
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001


class TransactionalLibrdkafkaSink:
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
        self._positions = RdPositions(settings, kafka, stopping)
        self._producer: RdProducer | None = None
        self._life = os.urandom(8)
        self._claimed = False
        self._one_by_one = False

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
        producer = self._producer
        try:
            producer.raw.begin_transaction()
            self._send(producer, batch)
            # What is refused while it is queued does not spoil the transaction: a commit would
            # succeed without it.
            if producer.failures:
                self._patiently(_ABORT, producer.raw.abort_transaction)
            else:
                self._commit(producer)
        except KafkaException as error:
            self._undo(producer, error, batch)
            self._refuse(producer, batch)
            held_back = producer.held_back(batch)
            raise held_back or unavailable(self._settings, error, batch) from error
        if producer.failures:
            self._refuse(producer, batch)
            why = f"Kafka: {producer.failures[0].error.str()}"
            raise producer.held_back(batch) or SinkUnavailableError(why, batch)
        self._one_by_one = False

    def close(self) -> None:
        """See `Sink.close`."""
        if self._producer is not None:
            self._producer.abandon()
            self._producer = None

    def _reopen(self) -> Last:
        """Take the transactional id over, and read back what is delivered."""
        producer = RdProducer(
            self._settings,
            self._kafka,
            self._stopping,
            {
                "transactional.id": self._settings.client_id,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            },
        )
        producer.require_topics()
        self._positions.require(producer.topics())
        if self._claimed:
            self._look_for_successor(self._positions.last())
        try:
            producer.raw.init_transactions(OPEN_TIMEOUT_S)
            last = self._positions.last()
            # Again, now that nobody else can write: one may have come since.
            self._look_for_successor(last)
            self._notebook.found(last.session, there=last.life != b"", at=last.at)
            self._claim(producer)
        except KafkaException as error:
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

    def _claim(self, producer: RdProducer) -> None:
        """Leave the mark of this process."""
        producer.raw.begin_transaction()
        self._send(producer, Batch([], []))
        for failure in producer.failures:
            raise KafkaException(failure.error)
        self._commit(producer)

    def _send(self, producer: RdProducer, batch: Batch) -> None:
        if self._one_by_one:
            producer.send(Batch([], batch.dead_letters))
            for record in batch.readings:
                producer.send_readings([record])
                producer.wait()
        else:
            producer.send(batch)
        producer.send_one(
            self._settings.position_topic,
            position_record(
                self._settings.client_id, self._life, batch.positions, self._notebook.header()
            ),
            self._positions.partition,
        )

    def _commit(self, producer: RdProducer) -> None:
        self._patiently("a commit awaits confirmation", producer.raw.commit_transaction)

    def _patiently(self, what: str, step: Callable[[float], Any]) -> None:
        """Repeat a step of a transaction, which goes on where it was, until Kafka answers."""
        patience = Patience(self._settings, self._kafka, self._stopping)
        while True:
            try:
                step(_TURN_S)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                patience.wear(what)
            else:
                return

    def _undo(self, producer: RdProducer, error: KafkaException, batch: Batch) -> None:
        """Bring the producer back to where a transaction may begin, or give it up."""
        reason = error.args[0]
        if reason.fatal() or not reason.txn_requires_abort():
            self.close()
            if reason.code() in _FENCED:
                # Time for whoever shut us out to leave its mark.
                self._stopping.wait(_GRACE_S)
            raise unavailable(self._settings, error, batch) from error
        try:
            self._patiently(_ABORT, producer.raw.abort_transaction)
        except KafkaException as second:
            self.close()
            raise unavailable(self._settings, second, batch) from second

    def _refuse(self, producer: RdProducer, batch: Batch) -> None:
        """Find out what Kafka refuses also when it comes alone.

        Raises:
            RecordsRefusedError: with those.
            SinkUnavailableError: none; the batch is to be sent in smaller pieces.
        """
        suspects = {(f.key, f.value): f for f in producer.failures if f.unfixable}
        readings = [record for record in batch.readings if record[:2] in suspects]
        if not readings:
            return
        refused: list[tuple[Record, str]] = []
        for record in readings:
            try:
                producer.raw.begin_transaction()
                producer.send(Batch([record], []))
                producer.wait()
                failures = producer.failures
                self._patiently(_ABORT, producer.raw.abort_transaction)
            except KafkaException as error:
                self.close()
                raise unavailable(self._settings, error, batch) from error
            refused += [(record, failure.error.str()) for failure in failures if failure.unfixable]
        out = {id(record) for record, _why in refused}
        rest = [record for record in batch.readings if id(record) not in out]
        if refused:
            raise RecordsRefusedError(refused, batch._replace(readings=rest))
        self._one_by_one = True
        raise SinkUnavailableError("Kafka refuses the batch but none of its records", batch)
