"""Three ways from records to sums, with every rule of rejection on.

``python -m benchmarks.parse [READINGS]``

Each sums up the same records by (state, guid, epoch), turn by turn in one warm session on all
cores, from memory, so that Kafka is no part of it. The golden records say on how many a way is of
another opinion than the contract: is it a reading, or not. Prints medians of five runs after two.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import Counter
from operator import ne
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from aggregator.stream.session import SETTINGS
from aggregator.stream.workers.partial_sums import DDL, Punctuality, partials
from benchmarks.aggregator.fleet import Fleet
from benchmarks.usage import session
from isotherm.contract import Reading, judge
from isotherm.contract.event_time import EVENT_TIME_PATTERN
from isotherm.contract.fast import judge_row
from isotherm.contract.fields import CLOCKS, EPOCH_PATTERN, FORMAT, MAX_TEMPERATURE, MIN_TEMPERATURE
from isotherm.contract.row import Row
from isotherm.contract.schema import spark_ddl
from isotherm.contract.states import STATES
from tests.support.golden import cases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyspark.sql import DataFrame

RUNS = 5
WARM_UP = 2


def in_columns(frame: DataFrame) -> DataFrame:
    """As the job does it."""
    return frame.mapInArrow(partials, DDL)


def one_by_one(frame: DataFrame) -> DataFrame:
    """A Python loop over the records."""

    def loop(batches: Iterable[Any]) -> Iterator[Any]:
        from aggregator.stream.workers import partial_sums as sums  # noqa: PLC0415 in the worker
        from aggregator.stream.workers.columnar import table  # noqa: PLC0415 in the worker

        tables: Any = []
        gaps: Any = []
        rejected: Counter[str] = Counter()
        bounds = Punctuality().bounds(time.time_ns())
        for batch in batches:
            values = batch.column("value").to_pylist()
            rows, refused = sums._judge(values, gaps)  # noqa: SLF001 a part of it is measured
            tables.append(table(rows))
            rejected.update(reason for _, reason in refused)
        yield from sums._summed(sums.SCHEMA, [], tables, gaps, bounds)  # noqa: SLF001 as above

    return frame.mapInArrow(loop, DDL)


def judged(frame: DataFrame) -> DataFrame:
    """By `from_json`, its leniencies off as far as they can be, and the rules as expressions."""
    options = {"allowNonNumericNumbers": "false", "allowSingleQuotes": "false"}
    record = f.from_json(f.col("value").cast("string"), spark_ddl(), options)
    rows = frame.withColumn("r", record).select("*", "r.*")
    moment = f.col("eventTime")
    counted = (
        f.col("origin.epoch").rlike(EPOCH_PATTERN)
        & (f.col("origin.seq") >= 1)
        & f.col("origin.clock").isin(*CLOCKS)
    )
    good = (
        f.col("guid").rlike(r"^\P{C}{1,128}$")
        & f.col("destination").isNotNull()
        & f.col("state").isin(*STATES)
        & moment.rlike(EVENT_TIME_PATTERN)
        & f.try_to_timestamp(moment).isNotNull()
        & (f.col("payload.format") == FORMAT)
        & f.col("payload.data.temperature").between(MIN_TEMPERATURE, MAX_TEMPERATURE)
        & (f.col("origin").isNull() | counted)
    )
    return rows.withColumn("good", f.coalesce(good, f.lit(col=False)))


def native(frame: DataFrame) -> DataFrame:
    """Spark's own expressions."""
    seq, moment, temperature = "origin.seq", "eventTime", "payload.data.temperature"
    return (
        judged(frame)
        .where("good")
        .groupBy("state", "guid", f.col("origin.epoch").alias("epoch"))
        .agg(
            *(f.count("*").alias("readings"), f.sum(temperature).alias("total")),
            *(f.min(seq), f.max(seq), f.min(moment), f.max(moment)),
            *(f.collect_list(seq), f.collect_list(temperature)),
        )
    )


WAYS = {
    "Arrow in columns, the rest by contract": in_columns,
    "msgspec record by record": one_by_one,
    "from_json and expressions": native,
}


def other_opinions(spark: SparkSession, records: list[bytes]) -> dict[str, int]:
    """On how many records a way says otherwise than the contract whether it is a reading."""
    right = [isinstance(judge(record), Reading) for record in records]
    frame = spark.createDataFrame(list(enumerate(records)), "n INT, value BINARY")
    rows = judged(frame).select("n", "good").orderBy("n").collect()
    found = {
        "Arrow in columns, the rest by contract": [in_columns_says(record) for record in records],
        "msgspec record by record": [isinstance(judge_row(record), Row) for record in records],
        "from_json and expressions": [bool(row.good) for row in rows],
    }
    return {name: sum(map(ne, said, right)) for name, said in found.items()}


def in_columns_says(record: bytes) -> bool:
    """Whether the columnar way takes a record as a reading."""
    batch = pa.RecordBatch.from_pydict({"value": pa.array([record], pa.binary())})
    return any(row["reason"] is None for part in partials([batch]) for row in part.to_pylist())


def main(count: int) -> None:
    """Measure each way on `count` readings."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    builder = SparkSession.builder.config("spark.sql.shuffle.partitions", os.cpu_count() or 1)
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.config("spark.driver.memory", "3g").getOrCreate()
    values = [(value,) for _, value in Fleet(count // 20).readings(count)]
    parts = spark.sparkContext.parallelize(values, 4)
    frame = spark.createDataFrame(parts, "value BINARY").cache()
    frame.count()
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(WARM_UP + RUNS):
        for name, way in WAYS.items():
            used, start = cpu(), time.monotonic()
            rows = way(frame).toArrow()
            took[name].append((time.monotonic() - start, cpu() - used))
            assert sum(rows["readings"].to_pylist()) == count, name
    others = other_opinions(spark, [record for case in cases() for record in case.records])
    for name, turns in took.items():
        seconds, used = map(statistics.median, zip(*turns[WARM_UP:], strict=True))
        print(f"{name:40}{seconds:7.2f} s{used:7.2f} CPU-s   of another opinion: {others[name]}")
    spark.stop()


def cpu() -> float:
    """CPU seconds of this session's processes."""
    return sum(process.cpu for process in session(os.getsid(0)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
