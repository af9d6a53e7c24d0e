"""The sink on kafka-python, exactly once; see `bridge.kafka.exactly_once`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafka.errors import (
    InvalidProducerEpochError,
    InvalidTransactionTimeoutError,
    KafkaError,
    ProducerFencedError,
)

from bridge.kafka.errors import (
    RecordsRefusedError,
    SinkError,
)
from bridge.kafka.exactly_once import TransactionalSink
from bridge.kafka.kafka_python.positions import KpPositions
from bridge.kafka.kafka_python.producer import (
    REQUEST_BYTES,
    Failure,
    KpProducer,
    not_delivered,
    too_large_together,
    topics,
    unavailable,
    words,
)
from bridge.kafka.limits import (
    SmallerRequestsError,
)
from bridge.records import Batch

if TYPE_CHECKING:
    import threading

    from bridge.kafka.position_topic import Last, OwnRecords
    from bridge.kafka.session_notes import Notebook
    from bridge.records import Record
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability

_REQUEST_MS: Final = 30_000
_GRACE_S: Final = 2.0
_ABORT: Final = "an abort awaits confirmation"
_FENCED: Final = (ProducerFencedError, InvalidProducerEpochError)


class TransactionalKafkaPythonSink(TransactionalSink[KpProducer]):
    """See `bridge.kafka.exactly_once.TransactionalSink`."""

    def __init__(
        self,
        settings: BridgeSettings,
        kafka: Availability,
        stopping: threading.Event,
        notebook: Notebook,
    ) -> None:
        super().__init__(settings, kafka, stopping, notebook, request_bytes=REQUEST_BYTES)
        self._positions = KpPositions(settings, stopping)

    @property
    def own(self) -> OwnRecords:
        """See `TransactionalSink.own`."""
        return self._positions.own

    def _transact(self, producer: KpProducer, batch: Batch) -> None:
        failures: list[Failure] = []
        late = False
        try:
            failures = self._send(producer, batch)
            # Asked for now: the way back may take longer, as while Kafka is away.
            late = bool(failures) and self._time.ran_out
            self._end(producer, failures)
        except KafkaError as error:
            self._late = late if failures else self._time.ran_out
            self.close()
            if isinstance(error, _FENCED):
                # Time for whoever shut us out to leave its mark.
                self._stopping.wait(_GRACE_S)
            raise unavailable(self._settings, error, batch) from error
        if failures:
            # kafka-python lets a transaction with a failed record only be aborted, and its
            # producer begins best anew.
            self.close()
            if late and not any(failure.unfixable for failure in failures):
                raise self._too_slow(batch)
            self._refuse(batch, failures)
        elif self._time.in_time():
            self.close()

    def _reopen(self) -> Last:
        """See `TransactionalSink._reopen`."""
        self._positions.require(topics(self._settings))
        if self._claimed:
            self._look_for_successor(self._positions.last())
        producer = KpProducer(
            self._settings,
            self._kafka,
            self._stopping,
            {
                "transactional_id": self._settings.client_id,
                "transaction_timeout_ms": self._time.milliseconds,
                # One large record may need longer on a slow line.
                "request_timeout_ms": max(_REQUEST_MS, self._time.milliseconds),
                # A transaction that begins before Kafka has marked the end of the last one is
                # refused for a moment, which is a matter of milliseconds.
                "retry_backoff_ms": 20,
            },
            # By then Kafka has aborted the transaction itself, and a new one serves better.
            longest=self._time.seconds,
            request_bytes=self._request.bytes,
        )
        try:
            producer.call(producer.raw.init_transactions, "the transactional id awaits release")
            last = self._positions.last()
            moved = self._take_over(last)
            for failure in self._send_and_end(producer, Batch([], [], moved)):
                if failure.unfixable:
                    self._positions_refused()
                raise failure.error
        except KafkaError as error:
            producer.abandon()
            if isinstance(error, InvalidTransactionTimeoutError):
                self._time.refused()
            raise unavailable(self._settings, error) from error
        except SinkError:
            producer.abandon()
            raise
        self._claimed = True
        self._producer = producer
        return last

    def _send_and_end(self, producer: KpProducer, batch: Batch) -> list[Failure]:
        """Deliver a batch in one transaction; what failed, and then nothing is delivered."""
        failures = self._send(producer, batch)
        self._end(producer, failures)
        return failures

    def _send(self, producer: KpProducer, batch: Batch) -> list[Failure]:
        """Begin a transaction and send a batch with its positions; what failed."""
        producer.raw.begin_transaction()
        records = self._position_records(batch.positions)
        return producer.send(batch) or producer.send_to(
            self._settings.position_topic, records, self.own.partition
        )

    def _end(self, producer: KpProducer, failures: list[Failure]) -> None:
        """End the transaction: commit it where nothing failed, or else abort it."""
        if failures:
            producer.call(producer.raw.abort_transaction, _ABORT)
        else:
            producer.call(producer.raw.commit_transaction, "a commit awaits confirmation")

    def _refuse(self, batch: Batch, failures: list[Failure]) -> None:
        """Say which records Kafka will never take; others failed with them.

        kafka-python gives all that is under way in a transaction the error of the one that failed.

        Raises:
            RecordsRefusedError: with those.
            SinkUnavailableError: there are none.
            SmallerRequestsError: the batch is to be sent again, in smaller requests.
        """
        if too_large_together(failures, self._request.bytes) and self._request.refused():
            raise SmallerRequestsError(batch)
        suspects = {id(f.record) for f in failures if f.unfixable}
        known = {id(record) for record in (*batch.readings, *batch.dead_letters)}
        if suspects - known:
            self._positions_refused()
            raise SmallerRequestsError(batch)
        # What is refused is too large. So where one is taken, those that are no larger are, too.
        by_size = sorted(
            (record for record in batch.readings if id(record) in suspects),
            key=lambda record: len(record.key) + len(record.value),
            reverse=True,
        )
        refused = self._largest_refused(by_size, batch)
        if not refused:
            raise not_delivered(self._settings, failures, batch)
        out = {id(record) for record, _why in refused}
        rest = [record for record in batch.readings if id(record) not in out]
        raise RecordsRefusedError(refused, batch._replace(readings=rest))

    def _largest_refused(self, by_size: list[Record], batch: Batch) -> list[tuple[Record, str]]:
        """Those of some records that Kafka refuses, which are the largest.

        Args:
            by_size: the largest first.
            batch: that they are in.
        """
        taken, why = len(by_size), ""
        beyond = 0
        # The first that is taken is looked for by halves: each look is a transaction.
        while beyond < taken:
            middle = (beyond + taken) // 2 if why else 0
            if found := self._try_alone(by_size[middle], batch):
                beyond, why = middle + 1, words(found[0].error)
            elif why:
                taken = middle
            else:
                return []
        return [(record, why) for record in by_size[:beyond]]

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
