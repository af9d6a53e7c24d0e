"""What a batch cannot count is set aside, and nothing else is."""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from aggregator.dead_letters import set_aside as module
from aggregator.dead_letters.letter import Flood, split
from aggregator.dead_letters.set_aside import Aside, lies_in_records, sift
from aggregator.dead_letters.writer import MemoryBox
from aggregator.errors import DeadLetterError, LedgerError, SinkError, StoppingError
from aggregator.ledger.ledger import Ledger
from aggregator.stream.trigger import Triggers
from aggregator.stream.workers.partial_sums import SCHEMA, partials
from isotherm.contract import Clock
from isotherm.log import Log
from tests.aggregator.dead_letters.test_writer import Topic, writer
from tests.aggregator.stream.test_trigger import Kept, Ticks
from tests.aggregator.support.records import EPOCH, gap, reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FULL = 2**63 - 1


@pytest.mark.parametrize("seed", range(20))
def test_sifting_keeps_all_that_fit_together_and_no_others(seed: int) -> None:
    draw = random.Random(seed)
    number = draw.randrange(200)
    bad = set(draw.sample(range(number), k=min(number, draw.randrange(6))))
    asked = []

    def fits(places: Sequence[int]) -> bool:
        asked.append(places)
        return not bad & set(places)

    kept, left = sift(number, fits, iter(range(1_000)))
    assert (kept, left) == ([at for at in range(number) if at not in bad], sorted(bad))
    assert len(asked) <= 1 + 2 * 8 * len(bad)


def test_of_two_that_do_not_fit_together_the_later_goes() -> None:
    assert sift(5, lambda places: not {1, 3} <= set(places), iter(range(100))) == (
        [0, 1, 2, 4],
        [3],
    )


def test_without_trials_the_rest_goes_whole() -> None:
    kept, left = sift(8, lambda places: 7 not in places, iter(range(3)))
    assert kept + left == list(range(8))
    assert kept == [0, 1, 2, 3]


def caused(cause: Exception) -> LedgerError:
    error = LedgerError("the ledger cannot be written")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    (
        caused(duckdb.OutOfRangeException("overflow")),
        duckdb.ConversionException("cast"),
        duckdb.ConstraintException("key"),
        OverflowError(),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"),
        RecursionError(),
        pa.ArrowInvalid("json"),
    ),
)
def test_what_lies_in_records(error: Exception) -> None:
    assert lies_in_records(error)


@pytest.mark.parametrize(
    "error",
    (
        caused(duckdb.IOException("No space left on device")),
        caused(duckdb.OutOfMemoryException("memory")),
        caused(duckdb.FatalException("invalidated")),
        LedgerError("lacks batches"),
        DeadLetterError("Kafka is away"),
        SinkError("disk full"),
        StoppingError(),
        OSError(28, "No space left on device"),
        MemoryError(),
        pa.ArrowMemoryError("memory"),
    ),
)
def test_what_does_not(error: Exception) -> None:
    assert not lies_in_records(error)


def sums(values: Sequence[bytes | None]) -> Any:
    batch = pa.RecordBatch.from_pydict({"value": pa.array(values, pa.binary())})
    return pa.Table.from_batches(list(partials([batch])), SCHEMA)


class Job:
    """Triggers over a ledger in which one sensor's count is as high as its column can be."""

    def __init__(self, path: Path, box: MemoryBox) -> None:
        if not path.exists():
            with Ledger(path) as ledger:
                Triggers(scopes=("window",), ledger=ledger, sinks=[], clock=Ticks()).batch(
                    "q", 0, lambda: sums([reading("full", seq=1), reading("good", seq=1)])
                )
            with duckdb.connect(path) as connection:
                # A stand-in for whatever a later version cannot count: a reading more of this one
                # does not fit, and nothing in the record is at fault.
                connection.execute("UPDATE sensor SET readings = ? WHERE guid = 'full'", [FULL])
        self.topic = Topic({})
        self.box = box
        self.ledger = Ledger(path)
        self.sink = Kept()
        self.stop = threading.Event()
        self.letters = writer(box, self.topic)
        self.aside = Aside(
            ranges=lambda _batch: [
                Flood(number, records[0][0], records[-1][0])
                for number, records in self.topic.partitions.items()
            ],
            reader=self.topic,
            sums=sums,
            letters=self.letters,
            stop=self.stop,
            log=Log("test"),
        )
        self.triggers = Triggers(
            scopes=("window", "since_start"),
            ledger=self.ledger,
            sinks=[self.sink],
            clock=Ticks(),
            letters=self.letters,
            aside=self.aside,
        )

    def batch(self, number: int, records: list[bytes], *, first: int = 0) -> None:
        halves = (records[::2], records[1::2])
        self.topic.partitions = {
            partition: [(first + at, b"key", value) for at, value in enumerate(half)]
            for partition, half in enumerate(halves)
            if half
        }
        self.triggers.batch("q", number, self.topic.rows)

    def aside_of(self) -> list[bytes]:
        return [
            record.value or b""
            for record in self.box.records
            if dict(record.headers)["reason"] == b"uncountable"
        ]


RECORDS = [
    *(reading(f"other{number}", "NV", 50.0 + number, seq=1) for number in range(40)),
    reading("full", seq=2),
    b"bad",
    gap("good", first=2, last=3, count=2, seq=4),
    reading("full", "CA", 61.0, seq=3),
    reading("good", seq=5),
]


def test_the_culprits_go_to_the_dead_letters_and_the_rest_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(tmp_path / "l.duckdb", MemoryBox())
    with caplog.at_level(logging.INFO):
        job.batch(1, RECORDS)
    found = job.sink.snapshots[-1]
    assert found.rejected == {"not_json": 1, "uncountable": 2}
    assert found.scopes["window"].total_messages == 41
    assert found.rejected_since_start == {"not_json": 1, "uncountable": 2}
    assert sorted(job.aside_of()) == sorted([RECORDS[40], RECORDS[43]])
    assert job.ledger.sequences()["good", EPOCH] == (5, 3, 0, 2, 0)
    assert job.ledger.sequences()["full", EPOCH] == (1, 1, 0, 0, 0)
    assert (job.aside.records, job.aside.batches) == (2, 1)
    assert [record.message for record in caplog.records] == [
        "records could not be counted and are set aside as uncountable"
    ]
    # The next batch is counted as ever, and one with the same kind of record again is, too.
    job.batch(2, [reading("good", seq=6)], first=100)
    job.batch(3, [reading("full", seq=4), reading("good", seq=7)], first=200)
    assert job.sink.snapshots[-1].rejected == {"uncountable": 1}
    assert job.ledger.sequences()["good", EPOCH][1] == 5


def test_of_a_sensor_s_share_only_what_does_not_fit_goes(tmp_path: Path) -> None:
    job = Job(tmp_path / "l.duckdb", MemoryBox())
    job.ledger.close()
    with duckdb.connect(tmp_path / "l.duckdb") as connection:
        connection.execute("UPDATE sensor SET readings = ? WHERE guid = 'full'", [FULL - 2])
    job = Job(tmp_path / "l.duckdb", job.box)
    job.batch(1, [reading("full", seq=seq) for seq in range(2, 7)])
    # Two more fit.
    assert job.sink.snapshots[-1].rejected == {"uncountable": 3}
    assert len(job.aside_of()) == 3


def test_which_of_two_goes_does_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    job = Job(tmp_path / "l.duckdb", MemoryBox())
    job.topic.partitions = {
        0: [(0, b"key", reading("one", seq=1)), (1, b"key", reading("two", seq=1))]
    }
    rows, _ = split(job.topic.rows())

    def trial(some: Any) -> None:
        if {"one", "two"} <= set(some["guid"].to_pylist()):
            raise ArithmeticError

    for order in ([0, 1], [1, 0]):
        left = job.aside.without("q", 1, rows.take(order), ArithmeticError(), trial)
        assert left["guid"].to_pylist() == ["one", None]
    # Once, although it was tried twice.
    assert job.aside_of() == [reading("two", seq=1)]


def test_what_cannot_be_found_again_is_not_left_away(tmp_path: Path) -> None:
    job = Job(tmp_path / "l.duckdb", MemoryBox())
    job.topic.partitions = {0: [(0, b"key", reading("one", seq=1))]}
    rows, _ = split(job.topic.rows())
    job.topic.partitions = {}

    def trial(some: Any) -> None:
        if "one" in some["guid"].to_pylist():
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        job.aside.without("q", 1, rows, ArithmeticError(), trial)


@pytest.mark.parametrize("crash", ("refuse", "unsure"))
def test_over_a_crash_each_is_set_aside_once(tmp_path: Path, crash: str) -> None:
    box = MemoryBox()
    job = Job(tmp_path / "l.duckdb", box)

    class Crashing(MemoryBox):
        def put(self, records: Any, mark: Any) -> None:
            if mark.aside:
                setattr(self, crash, 1)
            super().put(records, mark)

    box.__class__ = Crashing
    with pytest.raises(DeadLetterError):
        job.batch(1, RECORDS)
    box.__class__ = MemoryBox
    job.ledger.close()
    again = Job(tmp_path / "l.duckdb", box)
    again.batch(1, RECORDS)
    # And once more, as where Spark had not committed.
    again.batch(1, RECORDS)
    assert len(again.aside_of()) == 2
    assert len(box.records) == 3
    assert again.ledger.sequences()["good", EPOCH] == (5, 3, 0, 2, 0)


def test_a_fault_that_hits_every_record_sets_none_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOPELESS", 10)
    job = Job(tmp_path / "l.duckdb", MemoryBox())
    job.ledger.close()
    with duckdb.connect(tmp_path / "l.duckdb") as connection:
        connection.execute("UPDATE audit SET unsynced = ?", [FULL])
    job = Job(tmp_path / "l.duckdb", job.box)
    with pytest.raises(LedgerError):
        job.batch(1, [reading(f"g{number}", seq=1, clock=Clock.UNSYNCED) for number in range(20)])
    assert job.box.records == []
    assert job.sink.snapshots == []


def test_the_end_is_not_waited_for(tmp_path: Path) -> None:
    job = Job(tmp_path / "l.duckdb", MemoryBox())
    job.stop.set()
    with pytest.raises(StoppingError):
        job.batch(1, RECORDS)
    assert job.aside_of() == []


def test_without_the_records_the_batch_fails_as_before(tmp_path: Path) -> None:
    job = Job(tmp_path / "l.duckdb", MemoryBox())
    job.aside._ranges = lambda _batch: None  # noqa: SLF001 a checkpoint that does not tell
    with pytest.raises(LedgerError):
        job.batch(1, RECORDS)
    assert job.aside_of() == []
