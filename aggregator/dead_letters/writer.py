"""The dead letters of a trigger: streamed into Kafka, each once, also across a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from aggregator.dead_letters.letter import (
    LEAST_PART_BYTES,
    NO_MARK,
    PART_BYTES,
    Flood,
    Mark,
    Record,
    Source,
    dead_letter,
    rejection,
    remaining,
    split,
)
from aggregator.errors import DeadLetterError, LetterTooLargeError, StoppingError
from isotherm.contract.reasons import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from threading import Event
    from typing import Any

    from isotherm.log import Log

MOST_RECORDS: Final = 10_000
"""In one transaction."""

MOST_BYTES: Final = 16 << 20
"""After this much a transaction is committed and the next one begun: so a flood neither fills the
driver's memory nor keeps a transaction open for longer than Kafka waits for it."""


class Box(Protocol):
    """The dead-letter topic, and the mark beside it that says how far the letters have come."""

    def open(self, query_id: str, part_bytes: int = PART_BYTES) -> Mark:
        """Shut out an earlier life of the query, and read back its mark.

        Args:
            query_id: Spark's name of the query.
            part_bytes: of key and value in the largest record that will come.

        Raises:
            DeadLetterError: not now.
        """

    def put(self, records: Sequence[Record], mark: Mark) -> None:
        """Write letters and mark in one transaction: both, or neither.

        The mark takes the place of the one before.

        Raises:
            LetterTooLargeError: one is larger than Kafka takes.
            DeadLetterError: Kafka does not take them, or does not say that it did; `open` tells.
        """

    def close(self) -> None:
        """Let go; may be opened again."""


class Reader(Protocol):
    """Reads the readings topic."""

    def __call__(self, flood: Flood) -> Iterator[Source]:
        """All records of a range, in order; raises DeadLetterError where they are not available."""


class DeadLetters:
    """Writes the letters of one job.

    Args:
        box: where they go.
        reader: gives those back that were too many to travel.
        topic: the readings topic, for the letters.
        clock: nanoseconds since 1970.
        stop: ends a flood between two transactions.
        log: takes a line when letters that waited are written; that they wait ends the query.

    Attributes:
        why: what keeps letters from being written; empty while nothing does.
        written: letters since the start of the job.
        failures: attempts that failed, since then.
    """

    def __init__(
        self,
        box: Box,
        reader: Reader,
        *,
        topic: str,
        clock: Callable[[], int],
        stop: Event,
        log: Log,
    ) -> None:
        self._log = log
        self._box = box
        self._reader = reader
        self._topic = topic
        self._clock = clock
        self._stop = stop
        self._mark: Mark | None = None
        self._part_bytes = PART_BYTES
        self.why = ""
        self.written = 0
        self.failures = 0

    def write(self, query_id: str, batch_id: int, rows: Any) -> Any:
        """Write a letter for each rejected record of a trigger that has none yet.

        Args:
            query_id: Spark's name of the query.
            batch_id: the trigger's micro-batch.
            rows: the workers'.

        Returns:
            The rows that count something.

        Raises:
            DeadLetterError: some are not written. With the same rows again nothing is written
                twice.
            StoppingError: the person asked for the end.
        """
        counting, pending = split(rows)
        if pending:
            self._patiently(query_id, lambda mark: self._write(pending, batch_id, mark))
        return counting

    def set_aside(
        self, query_id: str, batch_id: int, sources: Callable[[], Iterable[Source]], detail: str
    ) -> None:
        """Write a letter for each record of a trigger that could not be counted, after `write`.

        Args:
            query_id: Spark's name of the query.
            batch_id: the trigger's micro-batch.
            sources: gives the records, by partition and offset; the same ones again in a replay.
            detail: why they could not be counted.

        Raises:
            DeadLetterError, StoppingError: as `write`.
        """
        why = Rejection(Reason.UNCOUNTABLE, detail)
        self._patiently(query_id, lambda mark: self._set_aside(sources(), why, batch_id, mark))

    def _patiently(self, query_id: str, write: Callable[[Mark], None]) -> None:
        try:
            while True:
                try:
                    if self._mark is None:
                        self._mark = self._box.open(query_id, self._part_bytes)
                    write(self._mark)
                    break
                except LetterTooLargeError:
                    if self._part_bytes <= LEAST_PART_BYTES:
                        raise
                    # What was committed before stands in the mark that is read back.
                    self.close()
                    self._part_bytes //= 2
                    self._log.warning(
                        "the dead-letter topic takes no record of that size: larger letters are "
                        "written in smaller parts; a higher max.message.bytes would mend it",
                        part_bytes=self._part_bytes,
                    )
        except DeadLetterError as error:
            self.failures += 1
            self.why = str(error)
            self.close()
            raise
        if self.why:
            self.why = ""
            self._log.info("dead letters are written again", written=self.written)

    def close(self) -> None:
        """Let go of Kafka."""
        self._mark = None
        self._box.close()

    def _write(self, pending: Sequence[Source | Flood], batch_id: int, before: Mark) -> None:
        found = self._sources(pending, before.done(batch_id))
        judged = ((source, rejection(source.value)) for source in found)
        self._stream(
            ((source, why) for source, why in judged if why is not None),
            before.offsets,
            lambda offsets: Mark(batch_id, offsets),
        )

    def _set_aside(
        self, sources: Iterable[Source], why: Rejection, batch_id: int, before: Mark
    ) -> None:
        done = before.done_aside(batch_id)
        # The others' letters of this batch, if there were any, are all written.
        others = before.done(batch_id)
        self._stream(
            ((source, why) for source in sources if source.offset >= done.get(source.partition, 0)),
            done,
            lambda offsets: Mark(batch_id, others, offsets),
        )

    def _stream(
        self,
        letters: Iterable[tuple[Source, Rejection]],
        before: Mapping[int, int],
        mark: Callable[[Mapping[int, int]], Mark],
    ) -> None:
        offsets = dict(before)
        records: list[Record] = []
        written = size = 0
        for source, why in letters:
            records += dead_letter(source, why, self._topic, self._clock(), self._part_bytes)
            written += 1
            size += len(source.key or b"") + len(source.value or b"")
            offsets[source.partition] = source.offset + 1
            if len(records) >= MOST_RECORDS or size >= MOST_BYTES:
                self._put(records, mark(dict(offsets)), written)
                records, written, size = [], 0, 0
                if self._stop.is_set():
                    raise StoppingError
        if records:
            self._put(records, mark(offsets), written)

    def _sources(
        self, pending: Sequence[Source | Flood], done: Mapping[int, int]
    ) -> Iterator[Source]:
        for item in pending:
            left = remaining(item, done)
            if isinstance(left, Flood):
                yield from self._reader(left)
            elif left is not None:
                yield left

    def _put(self, records: list[Record], mark: Mark, letters: int) -> None:
        self._box.put(records, mark)
        self._mark = mark
        self.written += letters


class MemoryBox:
    """The twin for tests: keeps what it is given, and fails when told to.

    Attributes:
        records: all letters, parts included.
        marks: by query.
        transactions: how many were committed.
        largest: bytes of the largest record that is taken; None for any.
        refuse: how many of the next transactions fail before they are committed.
        unsure: how many of the next are committed without saying so.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.marks: dict[str, Mark] = {}
        self.transactions = 0
        self.largest: int | None = None
        self.refuse = 0
        self.unsure = 0
        self._query_id: str | None = None

    def open(self, query_id: str, part_bytes: int = PART_BYTES) -> Mark:
        """See `Box.open`."""
        assert part_bytes >= LEAST_PART_BYTES
        self._query_id = query_id
        return self.marks.get(query_id, NO_MARK)

    def put(self, records: Sequence[Record], mark: Mark) -> None:
        """See `Box.put`."""
        assert self._query_id is not None, "closed"
        if self.refuse:
            self.refuse -= 1
            raise DeadLetterError("told to refuse")
        if self.largest is not None and any(_size(r) > self.largest for r in records):
            raise LetterTooLargeError("too large")
        self.records += records
        self.marks[self._query_id] = mark
        self.transactions += 1
        if self.unsure:
            self.unsure -= 1
            raise DeadLetterError("told to say nothing")

    def close(self) -> None:
        """See `Box.close`."""
        self._query_id = None


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers
