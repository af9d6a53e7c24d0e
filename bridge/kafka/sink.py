"""Where batches go: the protocol of a Kafka sink, and one in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bridge.kafka.errors import (
    BatchTooSlowError,
    LettersTooLargeError,
    RecordsRefusedError,
    SinkUnavailableError,
)

if TYPE_CHECKING:
    from bridge.records import Batch, Record


class Sink(Protocol):
    """Takes batches into Kafka; used by one thread."""

    def open(self) -> bytes:
        """Reach Kafka and see that the topics are there.

        Returns:
            The positions of what an earlier life of this bridge delivered, oldest first; empty
            where that is not kept (at-least-once).

        Raises:
            SinkUnavailableError: not now; says what is wrong. May be called again.
            FencedError: another process has taken over the client id.
        """

    def deliver(self, batch: Batch) -> None:
        """Return once every record is on all in-sync replicas (acks=all).

        Keeps the order of records with the same key. May take as long as Kafka is away.

        Raises:
            SinkUnavailableError: some records are not delivered; its `remaining` has them.
            LettersTooLargeError: the same, and smaller dead letters might be taken.
            BatchTooSlowError: nothing is delivered; deliver less at a time.
            RecordsRefusedError: Kafka will never take some; its `remaining` has the others that
                are not delivered.
            SinkClosingError: the bridge is stopping and Kafka does not answer.
            FencedError: another process has taken over the client id.
        """

    def close(self) -> None:
        """Close the connections; nothing is in flight, since `deliver` waits."""


def held_back(topic: str, why: str, remaining: Batch, *, too_large: bool) -> SinkUnavailableError:
    """What a sink raises when the dead-letter topic is what does not take its records.

    Args:
        topic: its name.
        why: the library's words.
        remaining: what is to be delivered again.
        too_large: whether it might take smaller ones.
    """
    sentence = f"topic {topic} takes no dead letter, so what came with it and after it waits"
    if too_large:
        sentence += "; raise its max.message.bytes"
        return LettersTooLargeError(f"{sentence}: {why}", remaining, refused=True)
    # A person must fix it, so it is logged even where Kafka was lost before.
    return SinkUnavailableError(f"{sentence}: {why}", remaining, refused=True)


@dataclass(slots=True)
class MemorySink:
    """For tests: keeps what it is given, and fails when it shall.

    Attributes:
        readings: all readings that were taken.
        dead_letters: all dead letters that were taken.
        failures: how many of the next calls raise SinkUnavailableError.
        refuse_above: bytes; a longer reading is refused.
        largest_letter: bytes of the largest dead letter that is taken.
        refused_letters: how often one was larger.
        too_slow_above: readings; a batch with more does not get through in time.
        positions: of all batches that were taken, and what `open` gives.
    """

    readings: list[Record] = field(default_factory=list)
    dead_letters: list[Record] = field(default_factory=list)
    failures: int = 0
    refuse_above: int = 1_000_000
    largest_letter: int = 1_000_000
    refused_letters: int = 0
    too_slow_above: int = 1_000_000
    positions: bytes = b""

    def open(self) -> bytes:
        """See `Sink.open`."""
        self._fail(None)
        return self.positions

    def deliver(self, batch: Batch) -> None:
        """See `Sink.deliver`; all or nothing, as with transactions."""
        self._fail(batch)
        if len(batch.readings) > self.too_slow_above:
            raise BatchTooSlowError(f"{len(batch.readings)} readings take too long")
        refused = [r for r in batch.readings if len(r.value) > self.refuse_above]
        if refused:
            rest = [r for r in batch.readings if len(r.value) <= self.refuse_above]
            raise RecordsRefusedError(
                [(record, "too large") for record in refused], batch._replace(readings=rest)
            )
        if any(len(letter.value) > self.largest_letter for letter in batch.dead_letters):
            self.refused_letters += 1
            raise held_back("letters", "too large", batch, too_large=True)
        self.readings += batch.readings
        self.dead_letters += batch.dead_letters
        self.positions += batch.positions

    def close(self) -> None:
        """See `Sink.close`."""

    def _fail(self, batch: Batch | None) -> None:
        if self.failures:
            self.failures -= 1
            raise SinkUnavailableError("made to fail", batch)
