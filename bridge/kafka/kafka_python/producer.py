"""A kafka-python producer that takes whole batches; its public API only, but for one way out."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from bridge.credentials import kafka_access, kafka_python_security
from bridge.kafka.errors import SinkClosingError, SinkUnavailableError
from bridge.kafka.kafka_python.client_log import LAST_ERROR, NAMELESS
from bridge.kafka.kafka_python.partitioner import KeyPartitioner
from bridge.kafka.sink import held_back
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.records import Batch, Record
    from bridge.settings import BridgeSettings
    from isotherm.log import Availability

BLOCK_MS: Final = 5_000
REQUEST_BYTES: Final = 262_144
_POLL_S: Final = 0.25
_PATIENCE_S: Final = 3.0
_WEEK_MS: Final = 7 * 86_400_000
_UNFIXABLE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class Failure(NamedTuple):
    """A record that was not delivered."""

    record: Record
    error: BaseException

    @property
    def unfixable(self) -> bool:
        """Whether no later try can do better."""
        return isinstance(self.error, _UNFIXABLE)

    @property
    def size(self) -> int:
        """Bytes; what is as large as a request may be was alone in its own."""
        return len(self.record.key) + len(self.record.value)


class _QuietProducer(KafkaProducer):  # type: ignore[misc] # kafka-python has no types
    """Makes no text for its debug lines, which it would for every record, shown or not."""

    def __str__(self) -> str:
        return "producer"


class KpProducer:
    """Wraps `kafka.KafkaProducer`; used by one thread.

    Args:
        settings: brokers, topics, client id.
        kafka: notified when Kafka does not answer during a wait.
        stopping: ends a wait that Kafka does not answer.
        more: configuration beside what every sink has.
        longest: seconds after which a wait ends with KafkaTimeoutError.
        request_bytes: how much may go to one partition together.

    Raises:
        SinkUnavailableError: Kafka does not answer.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        kafka: Availability,
        stopping: threading.Event,
        more: dict[str, Any] | None = None,
        *,
        longest: float = math.inf,
        request_bytes: int = REQUEST_BYTES,
    ) -> None:
        self._settings = settings
        self._longest = longest
        self._kafka = kafka
        self._stopping = stopping
        try:
            self.raw: Any = _QuietProducer(
                **client_settings(settings),
                acks="all",
                # Said explicitly: kafka-python turns a conflict with a default into a warning.
                enable_idempotence=True,
                retries=2**31 - 1,
                delivery_timeout_ms=_WEEK_MS,
                max_block_ms=BLOCK_MS,
                max_request_size=1_048_576,
                batch_size=request_bytes,
                linger_ms=5,
                metadata_max_age_ms=30_000,
                allow_auto_create_topics=False,
                partitioner=KeyPartitioner(),
                **(more or {}),
            )
        except KafkaError as error:
            raise unavailable(settings, error) from error

    def send(self, batch: Batch) -> list[Failure]:
        """Send a batch and wait until Kafka confirmed or refused each record.

        Raises:
            SinkClosingError: the bridge is stopping, and Kafka does not answer.
        """
        return self.send_to(self._settings.topic, batch.readings) + self.send_to(
            self._settings.dead_letter_topic, batch.dead_letters
        )

    def send_to(
        self, topic: str, records: list[Record], partition: int | None = None
    ) -> list[Failure]:
        """Send records and wait; what failed."""
        sent: list[tuple[Record, Any]] = []
        failures: list[Failure] = []
        for index, record in enumerate(records):
            try:
                future = self.raw.send(
                    topic,
                    record.value,
                    record.key,
                    headers=list(record.headers),
                    partition=partition,
                )
            except KafkaTimeoutError as error:
                # Each further record would wait as long for the same thing.
                failures += [Failure(other, error) for other in records[index:]]
                break
            except KafkaError as error:
                failures.append(Failure(record, error))
            else:
                sent.append((record, future))
        self._push()
        self._wait([future for _record, future in sent])
        failures += [Failure(record, f.exception) for record, f in sent if f.failed()]
        return failures

    def call(self, step: Callable[[], object], what: str) -> None:
        """Take a step of a transaction, for which kafka-python itself would wait without an end.

        Raises:
            KafkaError: the step's own, or that it took too long; give the producer up.
            SinkClosingError: the bridge is stopping, and Kafka does not answer.
        """
        outcome: list[BaseException | None] = []

        def take() -> None:
            try:
                step()
            except BaseException as error:  # noqa: BLE001 handed over to the caller's thread
                outcome.append(error)
            else:
                outcome.append(None)

        LAST_ERROR.why = ""
        thread = threading.Thread(target=take, name="kafka-step", daemon=True)
        thread.start()
        began = time.monotonic()
        while thread.is_alive():
            thread.join(_POLL_S)
            if thread.is_alive():
                self._check_wait(began, what)
        if outcome[0] is not None:
            raise outcome[0]

    def abandon(self) -> None:
        """Close it; what is not confirmed is not waited for."""
        try:
            self.raw.close(timeout=_POLL_S)
        except KafkaError:
            # Records that Kafka does not answer, or a batch that was split, keep close() from its
            # second half; without this, kafka-python tries again when the process ends, and fails
            # with a traceback.
            self.raw._sender.force_close()  # noqa: SLF001 no public way
            self.raw._closed = True  # noqa: SLF001 no public way

    def _push(self) -> None:
        """Have what is queued sent now: nothing more comes that a batch could linger for."""
        # It raises for a batch that was split or that takes longer; each record tells by itself.
        with contextlib.suppress(KafkaError):
            self.raw.flush(timeout=_POLL_S)

    def _wait(self, futures: list[Any]) -> None:
        LAST_ERROR.why = ""
        began = time.monotonic()
        for done, future in enumerate(futures):
            while not future.is_done:
                # Either this look times out, or the record failed, which is sorted out later.
                with contextlib.suppress(KafkaError):
                    future.get(timeout=_POLL_S)
                if not future.is_done:
                    self._check_wait(began, f"{len(futures) - done} records await confirmation")

    def _check_wait(self, began: float, what: str) -> None:
        waited = time.monotonic() - began
        if self._stopping.is_set():
            raise SinkClosingError(f"{what} by Kafka")
        if waited > _PATIENCE_S:
            refused = refusal("kafka", LAST_ERROR.why)
            self._kafka.lost(
                refused or f"{what} by {self._settings.brokers}", refused=refused is not None
            )
        if waited > self._longest:
            raise KafkaTimeoutError(f"{what} for {waited:.0f} s")


def too_large_together(failures: list[Failure], request_bytes: int) -> bool:
    """Whether a topic refused what came together, and perhaps would take it in pieces."""
    sizes = [failure.size for failure in failures if failure.unfixable]
    return len(sizes) > 1 and max(sizes) < request_bytes


def topics(settings: BridgeSettings) -> set[str]:
    """The topics that there are; those of readings and dead letters among them.

    Raises:
        SinkUnavailableError: Kafka does not answer, or names the topic that is missing.
    """
    LAST_ERROR.why = ""
    try:
        # The admin client says what is missing; the producer only that time ran out.
        with KafkaAdminClient(**client_settings(settings)) as admin:
            found = set(admin.list_topics())
    except KafkaError as error:
        raise unavailable(settings, error) from error
    for topic in (settings.topic, settings.dead_letter_topic):
        if topic not in found:
            raise SinkUnavailableError(f"topic {topic} does not exist; create it", refused=True)
    return found


def client_settings(settings: BridgeSettings) -> dict[str, Any]:
    """What every kafka-python client of the bridge needs."""
    return {
        "bootstrap_servers": [str(broker) for broker in settings.kafka],
        "client_id": settings.client_id,
        "bootstrap_timeout_ms": BLOCK_MS,
        **kafka_python_security(settings),
    }


def not_delivered(
    settings: BridgeSettings, failures: list[Failure], remaining: Batch
) -> SinkUnavailableError:
    """The error for what is to be delivered again.

    Args:
        settings: brokers and topics.
        failures: of the last try; at least one.
        remaining: the batch, or what is left of it.
    """
    letters = {id(record) for record in remaining.dead_letters}
    error = failures[0].error
    if all(id(failure.record) in letters for failure in failures):
        too_large = any(failure.unfixable for failure in failures)
        return held_back(settings.dead_letter_topic, words(error), remaining, too_large=too_large)
    return unavailable(settings, error, remaining)


def unavailable(
    settings: BridgeSettings, error: BaseException, remaining: Batch | None = None
) -> SinkUnavailableError:
    """What kafka-python says, as ours."""
    why = words(error)
    if isinstance(error, KafkaTimeoutError) or NAMELESS in why:
        why = LAST_ERROR.why or why
        if why.endswith("socket disconnected"):
            why = f"{why}; {kafka_access(settings).suspects()}"
    refused = refusal("kafka", why)
    return SinkUnavailableError(
        refused or f"{settings.brokers}: {why}", remaining, refused=refused is not None
    )


def words(error: BaseException) -> str:
    """An error's text; kafka-python has errors without any."""
    return str(error) or type(error).__name__
