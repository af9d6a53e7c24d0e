"""The sink on librdkafka, exactly once; see `bridge.kafka.exactly_once`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from bridge.kafka.errors import (
    RecordsRefusedError,
    SinkError,
    SinkUnavailableError,
)
from bridge.kafka.exactly_once import TransactionalSink
from bridge.kafka.librdkafka.positions import RdPositions
from bridge.kafka.librdkafka.producer import (
    OPEN_TIMEOUT_S,
    REQUEST_BYTES,
    Failure,
    KafkaWait,
    RdProducer,
    unavailable,
)
from bridge.kafka.limits import (
    SmallerRequestsError,
)
from bridge.records import Batch

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bridge.kafka.position_topic import Last, OwnRecords
    from bridge.kafka.session_notes import Notebook
    from bridge.records import Record
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability

_TURN_S: Final = 1.0
_ABORT: Final = "an abort awaits confirmation"
_GRACE_S: Final = 2.0
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001


class TransactionalLibrdkafkaSink(TransactionalSink[RdProducer]):
    """See `bridge.kafka.exactly_once.TransactionalSink`."""

    def __init__(
        self,
        settings: BridgeSettings,
        kafka: Availability,
        stopping: threading.Event,
        notebook: Notebook,
    ) -> None:
        super().__init__(settings, kafka, stopping, notebook, request_bytes=REQUEST_BYTES)
        self._positions = RdPositions(settings, kafka, stopping)

    @property
    def own(self) -> OwnRecords:
        """See `TransactionalSink.own`."""
        return self._positions.own

    def _transact(self, producer: RdProducer, batch: Batch) -> None:
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
            # Asked for now: the way back may take longer, as while Kafka is away.
            late = self._late = self._time.ran_out
            self._undo(producer, error, batch)
            self._late = False
            self._sort_out(producer, batch)
            if late:
                raise self._too_slow(batch) from error
            held_back = producer.held_back(batch)
            raise held_back or unavailable(self._settings, error, batch) from error
        if producer.failures:
            self._sort_out(producer, batch)
            why = f"Kafka: {producer.failures[0].error.str()}"
            raise producer.held_back(batch) or SinkUnavailableError(why, batch)
        if self._time.in_time():
            self.close()

    def _reopen(self) -> Last:
        """See `TransactionalSink._reopen`."""
        producer = RdProducer(
            self._settings,
            self._kafka,
            self._stopping,
            {
                "transactional.id": self._settings.client_id,
                "transaction.timeout.ms": self._time.milliseconds,
                # By default it is the lesser of that and 60 s; one large record may need longer.
                "socket.timeout.ms": min(300_000, self._time.milliseconds - 100),
            },
            self._request.bytes,
        )
        producer.require_topics()
        self._positions.require(producer.topics())
        if self._claimed:
            self._look_for_successor(self._positions.last())
        try:
            producer.raw.init_transactions(OPEN_TIMEOUT_S)
            last = self._positions.last()
            self._claim(producer, self._take_over(last))
        except KafkaException as error:
            producer.abandon()
            if error.args[0].code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
                self._time.refused()
            raise unavailable(self._settings, error) from error
        except SinkError:
            producer.abandon()
            raise
        self._claimed = True
        self._producer = producer
        return last

    def _claim(self, producer: RdProducer, moved: bytes) -> None:
        """Leave the mark of this process.

        Args:
            producer: without a transaction.
            moved: positions that are to be where the next life looks first.
        """
        producer.raw.begin_transaction()
        try:
            self._send(producer, Batch([], [], moved))
            producer.wait()
            producer.require_none_failed()
            self._commit(producer)
        except KafkaException:
            if any(failure.too_large for failure in producer.failures):
                self._positions_refused()
            raise

    def _send(self, producer: RdProducer, batch: Batch) -> None:
        producer.send(batch)
        for record in self._position_records(batch.positions):
            producer.send_one(self._settings.position_topic, record, self.own.partition)

    def _commit(self, producer: RdProducer) -> None:
        self._patiently("a commit awaits confirmation", producer.raw.commit_transaction)

    def _patiently(self, what: str, step: Callable[[float], Any]) -> None:
        """Repeat a step of a transaction, which goes on where it was, until Kafka answers."""
        wait = KafkaWait(self._settings, self._kafka, self._stopping)
        while True:
            try:
                step(_TURN_S)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                wait.check(what)
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

    def _sort_out(self, producer: RdProducer, batch: Batch) -> None:
        """Tell what Kafka refused in company from what it will never take.

        Raises:
            RecordsRefusedError: with the readings that it will never take.
            SmallerRequestsError: the batch is to be sent again, in smaller requests.
        """
        failures = list(producer.failures)
        together = producer.too_large_together
        if together and self._request.refused():
            self.close()
            raise SmallerRequestsError(batch)
        topic = self._settings.position_topic
        if any(failure.too_large and failure.topic == topic for failure in failures):
            self._positions_refused()
            self.close()
            raise SmallerRequestsError(batch)
        refused = self._refused(producer, batch, failures)
        if refused:
            out = {id(record) for record, _why in refused}
            rest = [record for record in batch.readings if id(record) not in out]
            raise RecordsRefusedError(refused, batch._replace(readings=rest))

    def _refused(
        self, producer: RdProducer, batch: Batch, failures: list[Failure]
    ) -> list[tuple[Record, str]]:
        """The readings that Kafka will never take, with its words."""
        suspects = {(f.key, f.value): f for f in failures if f.unfixable}
        refused: list[tuple[Record, str]] = []
        for record in batch.readings:
            failure = suspects.get(record[:2])
            if failure is None:
                continue
            if failure.too_large:
                # It came alone: see `RdProducer.too_large_together`.
                refused.append((record, failure.error.str()))
            else:
                found = self._try_alone(producer, record, batch)
                refused += [(record, other.error.str()) for other in found if other.unfixable]
        return refused

    def _try_alone(self, producer: RdProducer, record: Record, batch: Batch) -> list[Failure]:
        """What Kafka refuses of one record, which is not delivered."""
        try:
            producer.raw.begin_transaction()
            producer.send(Batch([record], []))
            producer.wait()
            failures = producer.failures
            self._patiently(_ABORT, producer.raw.abort_transaction)
        except KafkaException as error:
            self.close()
            raise unavailable(self._settings, error, batch) from error
        return failures
