"""A batch that cannot be counted for a reason in its records: which ones, so that the rest can be.

Such a reason would be there again at each start, and nothing after it would ever be counted. So the
batch is tried in parts, and what no trial can count goes to the dead letters as ``uncountable``. A
trial is the whole count up to the commit, and is rolled back.

Nothing of this is for what lies elsewhere: a full disk, Kafka that is away, a fault of ours that
hits every record. There the batch waits, or the job ends, with all its records.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Protocol

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from aggregator.errors import AggregatorError, LedgerError, StoppingError
from aggregator.stream.workers.partial_sums import GAPS
from isotherm.contract.fast import judge_row
from isotherm.contract.reasons import Reason
from isotherm.contract.row import GapRow, Row
from isotherm.kafka.errors import KafkaUnavailableError
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from threading import Event

    from aggregator.dead_letters.letter import Flood, Source
    from aggregator.dead_letters.writer import DeadLetters, Reader
    from isotherm.log import Log

MOST_TRIALS: Final = 400
"""Of one batch. What is not told apart by then is set aside whole."""

MOST_BYTES: Final = 64 << 20
"""Of records that are held to tell them apart; of more, those of a sensor go together."""

HOPELESS: Final = 100
"""Rows, all of which cannot be counted: then the reason is not in them."""

_OF_DATA: Final = (
    # Numbers that do not fit, text that is none, rows that break a rule of the table.
    *(duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException),
    *(ValueError, ArithmeticError, TypeError, LookupError, RecursionError),
)

_Key = tuple[str, str, str | None, int | None]


def lies_in_records(error: BaseException) -> bool:
    """Whether an error of counting is about what was counted, not about the machine or Kafka."""
    if isinstance(error, LedgerError) and error.__cause__ is not None:
        error = error.__cause__
    return isinstance(error, _OF_DATA) and not isinstance(
        error, AggregatorError | KafkaUnavailableError | OSError
    )


def sift(
    number: int, fits: Callable[[Sequence[int]], bool], trials: Iterator[int]
) -> tuple[list[int], list[int]]:
    """Divide items into those that fit together and those that do not fit with them.

    Args:
        number: of items; the earlier in order is the one that is kept.
        fits: whether some fit together.
        trials: one is taken for each question; without any more the rest does not fit. Nor does it
            where the first `HOPELESS` have not.

    Returns:
        Their places: ascending both.
    """
    kept: list[int] = []
    left: list[int] = []
    parts = [range(number)] if number else []
    while parts:
        part = parts.pop()
        if (not kept and len(left) > HOPELESS) or next(trials, None) is None:
            left += part
        elif fits([*kept, *part]):
            kept += part
        elif len(part) == 1:
            left += part
        else:
            half = len(part) // 2
            parts += [part[half:], part[:half]]
    return kept, left


class Ranges(Protocol):
    """Tells which records a batch has."""

    def __call__(self, batch_id: int) -> Sequence[Flood] | None:
        """Of each partition from an offset to another; None where that cannot be told."""


class Aside:
    """Sets aside what a batch cannot count.

    Args:
        ranges: which records a batch has.
        reader: reads them again.
        sums: makes the workers' rows of some values.
        letters: writes their letters; None where those are not wanted.
        stop: ends it between two trials.
        log: an error line for each batch.

    Attributes:
        records: how many were set aside since the start of the job.
        batches: of how many batches.
    """

    def __init__(
        self,
        *,
        ranges: Ranges,
        reader: Reader,
        sums: Callable[[Sequence[bytes | None]], Any],
        letters: DeadLetters | None,
        stop: Event,
        log: Log,
    ) -> None:
        self._ranges = ranges
        self._reader = reader
        self._sums = sums
        self._letters = letters
        self._stop = stop
        self._log = log
        self.records = 0
        self.batches = 0

    def without(
        self,
        query_id: str,
        batch_id: int,
        rows: Any,
        error: Exception,
        trial: Callable[[Any], object],
    ) -> Any:
        """The rows of a batch without what cannot be counted; those are set aside.

        Args:
            query_id: Spark's name of the query.
            batch_id: of the batch.
            rows: the workers', without those for letters.
            error: why they could not be counted.
            trial: counts rows, and takes it back.

        Returns:
            Rows that can be counted: with how many are `Reason.UNCOUNTABLE`.

        Raises:
            Exception: `error`, where it is not in the records or they are not available any more;
                or what a trial met that is not in them either.
            DeadLetterError: their letters wait.
            StoppingError: the person asked for the end.
        """
        ranges = self._ranges(batch_id)
        if ranges is None or not self._fits(trial, rows.filter(pc.is_null(rows["guid"]))):
            raise error
        groups = _groups(rows)
        # Not as the rows came: a replay on another number of cores gives them in another order, and
        # must choose the same, since letters may be written.
        keys = sorted(groups, key=_rank)
        always = [place for place, guid in enumerate(rows["guid"].to_pylist()) if guid is None]

        def chosen(places: Sequence[int]) -> Any:
            found = (row for place in places for row in groups[keys[place]])
            return rows.take(pa.array(sorted([*always, *found]), pa.int64()))

        trials = iter(range(MOST_TRIALS))
        kept, left = sift(len(keys), lambda places: self._fits(trial, chosen(places)), trials)
        if not kept and len(left) > HOPELESS:
            raise error
        within, names = chosen(kept), {keys[place] for place in left}
        if names:
            within = self._closer(query_id, batch_id, within, error, (ranges, names, trial, trials))
        return within

    def _closer(
        self, query_id: str, batch_id: int, within: Any, error: Exception, more: Any
    ) -> Any:
        """Add what of some sensors can be counted all the same, record by record."""
        ranges, names, trial, trials = more
        sources = list(_held(self._of(ranges, names)))
        if not sources:
            # Left away without a letter, they would be lost without a word.
            raise error
        if sources[-1] is None:
            culprits: Callable[[], Iterable[Source]] = lambda: self._of(ranges, names)  # noqa: E731
            number = sum(1 for _ in culprits())
        else:

            def together(places: Sequence[int]) -> Any:
                values = [sources[place].value for place in places]
                return _joined(within, self._sums(values)) if values else within

            kept, left = sift(len(sources), lambda at: self._fits(trial, together(at)), trials)
            within, number = together(kept), len(left)
            culprits = lambda: [sources[place] for place in left]  # noqa: E731
        if number:
            said = where(error.__cause__ or error)
            if self._letters is not None:
                detail = f"the job could not count it: {said}"
                self._letters.set_aside(query_id, batch_id, culprits, detail)
            self.records += number
            self.batches += 1
            self._log.error(
                "records could not be counted and are set aside as uncountable",
                batch=batch_id,
                records=number,
                why=said,
                guids=", ".join(sorted({name[1] for name in names})[:3]),
            )
            counted = {"reason": [Reason.UNCOUNTABLE.value], "readings": [number]}
            within = _joined(within, pa.table(counted))
        return within

    def _fits(self, trial: Callable[[Any], object], rows: Any) -> bool:
        if self._stop.is_set():
            raise StoppingError
        try:
            trial(rows)
        except Exception as error:
            if lies_in_records(error):
                return False
            raise
        return True

    def _of(self, ranges: Iterable[Flood], names: set[_Key]) -> Iterator[Source]:
        for source in (source for flood in ranges for source in self._reader(flood)):
            verdict = None if source.value is None else judge_row(source.value)
            if isinstance(verdict, Row | GapRow) and _name(verdict) in names:
                yield source


def _groups(rows: Any) -> Mapping[_Key, list[int]]:
    """The rows of a sensor's share together, and each gap by itself."""
    groups: dict[_Key, list[int]] = defaultdict(list)
    columns = (rows[name].to_pylist() for name in ("reason", "state", "guid", "epoch", "min_seq"))
    for place, (reason, state, guid, epoch, seq) in enumerate(zip(*columns, strict=True)):
        if guid is not None:
            groups[state, guid, epoch, seq if reason == GAPS else None].append(place)
    return groups


def _rank(key: _Key) -> tuple[str, str, str, int]:
    state, guid, epoch, seq = key
    return state, guid, epoch or "", 0 if seq is None else seq


def _name(verdict: Row | GapRow) -> _Key:
    seq = verdict.seq if isinstance(verdict, GapRow) else None
    return verdict.state, verdict.guid, verdict.epoch, seq


def _held(sources: Iterator[Source]) -> Iterator[Any]:
    """The sources; None behind them where they are too many to be held."""
    size = 0
    for source in sources:
        size += len(source.key or b"") + len(source.value or b"")
        if size > MOST_BYTES:
            yield None
            return
        yield source


def _joined(rows: Any, more: Any) -> Any:
    """Rows behind others, with the columns of those."""
    kept = [field for field in rows.schema if field.name in more.column_names]
    columns = {field.name: more[field.name].cast(field.type) for field in kept}
    count = more.num_rows
    filled = {
        field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in rows.schema
    }
    return pa.concat_tables([rows, pa.table(filled, schema=rows.schema)])
