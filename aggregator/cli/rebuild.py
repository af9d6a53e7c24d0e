"""Makes the ledger anew from the topic, up to where the checkpoint stands."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aggregator.analytics.tally import tally
from aggregator.errors import BrokenLedgerError, LedgerError
from aggregator.kafka.admin import AdminTopic
from aggregator.kafka.availability import Attendance, wait_for_topic
from aggregator.kafka.checkpoint import read_checkpoint
from aggregator.kafka.java import spark_options
from aggregator.kafka.topic_identity import noted_topic, require_all
from aggregator.ledger import compatibility as refusals
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.report import opened, problems
from aggregator.stream.session import jvm, spark_session
from aggregator.stream.source import OPTIONS, summing
from aggregator.stream.workers.partial_sums import Punctuality
from isotherm.files import keep_from_others

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from aggregator.kafka.availability import Extent
    from aggregator.settings import AggregatorSettings
    from isotherm.log import Log

PORTION: Final = 2_000_000
"""Offsets that are read at a time: what the driver holds of them is about 50 MB."""

_UNJUDGED: Final = Punctuality(late=1e11, future=1e9)
"""Nothing is late: when it first came is not in the topic any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """A stretch of the topic: for each partition from an offset on up to another."""

    first: Mapping[int, int]
    end: Mapping[int, int]


def portions(
    first: Mapping[int, int], end: Mapping[int, int], *, most: int, size: int = PORTION
) -> list[Portion]:
    """Cut the offsets from `first` to `end` into at most `most` portions of about `size`.

    Args:
        first: for each partition where to begin, not above `end`.
        end: for each partition where to end.
        most: at least 1; there are no more than this, however large they get.
        size: offsets in all partitions of a portion.
    """
    total = sum(end[number] - first[number] for number in end)
    count = max(1, min(most, -(-total // size)))

    def cut(step: int) -> dict[int, int]:
        return {
            number: first[number] + (end[number] - first[number]) * step // count for number in end
        }

    return [Portion(first=cut(step), end=cut(step + 1)) for step in range(count)]


def rebuild(settings: AggregatorSettings, log: Log) -> None:
    """Read the topic again into a new ledger, and put it in the place of the old one.

    Raises:
        LedgerError: there is nothing to rebuild, or a job has the ledger open.
        BrokenLedgerError: the new ledger is not well; the old one stays in its place.
        CheckpointError: the checkpoint is of another topic.
        DataLossError: the topic was made anew.
        KafkaUnavailableError: Kafka or the topic is not there.
    """
    keep_from_others()
    folder = settings.checkpoint_folder
    checkpoint = None if folder is None else read_checkpoint(folder)
    if checkpoint is None or checkpoint.committed is None or checkpoint.query_id is None:
        raise LedgerError(
            f"the checkpoint {settings.checkpoint} has counted nothing that a ledger could be made "
            "of: it has to be a folder of this machine, with a batch in it"
        )
    checkpoint.require_topic(settings.topic)
    path = settings.ledger_file
    _require_idle(path)
    new = path.with_name(f"{path.name}.rebuild")
    _remove(new)
    with ExitStack() as stack:
        spark = stack.enter_context(spark_session())
        extent = _extent(spark, settings, log)
        require_all(settings.topic, extent, known=noted_topic(folder), position=checkpoint.position)
        # Its window is held: one after the other, partitions do not come as they came.
        held = replace(settings.sliding, held=True) if settings.sliding else None
        with Ledger(new, held, capacity=settings.ledger_sensors) as ledger:
            _fill(ledger, spark, settings, extent=extent, log=log)
    with opened(new) as connection:
        found = problems(connection, checkpoint)
    if found:
        raise BrokenLedgerError(f"the new ledger {new} is not well: {'; '.join(found)}")
    if path.exists():
        old = path.with_name(f"{path.name}.before-rebuild")
        _remove(old)
        _move(path, old)
        log.info("the ledger before is kept", file=str(old))
    _move(new, path)
    log.info("the ledger was rebuilt", file=str(path), batch=checkpoint.committed)


def _fill(
    ledger: Ledger,
    spark: SparkSession,
    settings: AggregatorSettings,
    *,
    extent: Extent,
    log: Log,
) -> None:
    folder = settings.checkpoint_folder
    assert folder is not None
    checkpoint = read_checkpoint(folder)
    assert checkpoint.query_id is not None
    assert checkpoint.committed is not None
    end = checkpoint.position
    start = {number: checkpoint.start.get(number, 0) for number in end}
    first = {number: min(max(start[number], extent.first[number]), end[number]) for number in end}
    gone = {
        number: first[number] - start[number] for number in end if first[number] > start[number]
    }
    if gone:
        log.warning("offsets that were counted are gone from Kafka", offsets=sum(gone.values()))
    # A portion has a number as a batch has, and those of batches to come must be above them all.
    cuts = portions(first, end, most=checkpoint.committed + 1)
    commit = folder / "commits" / str(checkpoint.committed)
    at = commit.stat().st_mtime_ns
    for number, portion in enumerate(cuts):
        rows = _read(spark, settings, portion).toArrow()
        ledger.add(checkpoint.query_id, number, tally(rows), at)
        if len(cuts) > 1:
            log.info("read", portion=number + 1, portions=len(cuts))
    ledger.settle(checkpoint.committed)


def _read(spark: SparkSession, settings: AggregatorSettings, portion: Portion) -> DataFrame:
    def offsets(found: Mapping[int, int]) -> str:
        return json.dumps({settings.topic: {str(number): found[number] for number in found}})

    return (
        spark.read.format("kafka")
        .options(**spark_options(settings.access))
        .option("assign", json.dumps({settings.topic: sorted(portion.first)}))
        .option("startingOffsets", offsets(portion.first))
        .option("endingOffsets", offsets(portion.end))
        .options(**OPTIONS)
        .load()
        .select("value")
        .mapInArrow(*summing(settings, _UNJUDGED))
    )


def _extent(spark: SparkSession, settings: AggregatorSettings, log: Log) -> Extent:
    admin = AdminTopic(jvm(spark), settings.access, settings.topic)
    attendance = Attendance(admin.look, brokers=settings.kafka, topic=settings.topic, log=log)
    wait_for_topic(attendance, patience=settings.kafka_wait, stop=threading.Event())
    extent = admin.survey()
    if extent is None:
        raise LedgerError(
            f"Kafka at {settings.kafka} does not say what topic {settings.topic} holds"
        )
    return extent


def _require_idle(path: Path) -> None:
    if not path.exists():
        return
    try:
        with opened(path):
            pass
    except LedgerError as error:
        if refusals.IN_USE in str(error):
            raise


def _remove(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.wal")):
        file.unlink(missing_ok=True)


def _move(path: Path, to: Path) -> None:
    for suffix in ("", ".wal"):
        file = path.with_name(f"{path.name}{suffix}")
        if file.exists():
            file.replace(to.with_name(f"{to.name}{suffix}"))
