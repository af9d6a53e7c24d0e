"""Where batches go: the protocol of a Kafka sink, and its in-memory twin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bridge.errors import SinkUnavailableError

if TYPE_CHECKING:
    from bridge.records import Batch, Record


class Refusal(NamedTuple):
    """A reading that Kafka will never take, such as one above the topic's limit.

    Attributes:
        record: the reading, as it stood in the batch.
        why: Kafka's own words.
    """

    record: Record
    why: str


class Sink(Protocol):
    """Takes batches into Kafka; used by one thread."""

    def open(self) -> None:
        """Reach Kafka and see that both topics are there.

        Raises:
            SinkUnavailableError: not now; says what is wrong. May be called again.
        """

    def deliver(self, batch: Batch) -> list[Refusal]:
        """Return once every record is on all in-sync replicas (acks=all), but for the refused ones.

        Keeps the order of records with the same key. May take as long as Kafka is away.

        Raises:
            SinkUnavailableError: some records are not delivered; its `remaining` has them.
            SinkClosingError: the bridge is stopping and Kafka does not answer.
        """

    def close(self) -> None:
        """Let go of Kafka; nothing is in flight, since `deliver` waits."""


@dataclass(slots=True)
class MemorySink:
    """The twin for tests: keeps what it is given, and fails when told to.

    Attributes:
        readings: all readings that were taken.
        dead_letters: all dead letters that were taken.
        failures: how many of the next calls raise SinkUnavailableError.
        refuse_above: bytes; a longer reading is refused.
    """

    readings: list[Record] = field(default_factory=list)
    dead_letters: list[Record] = field(default_factory=list)
    failures: int = 0
    refuse_above: int = 1_000_000

    def open(self) -> None:
        """See `Sink.open`."""
        self._fail(None)

    def deliver(self, batch: Batch) -> list[Refusal]:
        """See `Sink.deliver`."""
        self._fail(batch)
        refused = [record for record in batch.readings if len(record.value) > self.refuse_above]
        self.readings += [r for r in batch.readings if len(r.value) <= self.refuse_above]
        self.dead_letters += batch.dead_letters
        return [Refusal(record, "too large") for record in refused]

    def close(self) -> None:
        """See `Sink.close`."""

    def _fail(self, batch: Batch | None) -> None:
        if self.failures:
            self.failures -= 1
            raise SinkUnavailableError("told to fail", batch)
