"""The one read from Kafka: records in, a row per sensor out, before anything is computed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aggregator.kafka.java import spark_options
from aggregator.stream.workers.partial_sums import (
    DDL,
    DDL_WITH_MOMENTS,
    SCHEMA,
    WITH_MOMENTS,
    Punctuality,
    partials,
)
from isotherm.kafka.clients import files_of_access

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from aggregator.settings import AggregatorSettings

OPTIONS: Final = {
    # Records of a transaction that the bridge did not commit are not there.
    "kafka.isolation.level": "read_committed",
    # Measured on 1,000,000 readings: 4.4 s with these, 6.1 s with Kafka's defaults.
    "kafka.max.poll.records": "10000",
    "kafka.max.partition.fetch.bytes": str(16 << 20),
    "kafka.fetch.max.bytes": str(64 << 20),
    "kafka.receive.buffer.bytes": str(4 << 20),
    # Kafka holds a fetch that finds nothing for 500 ms, and each task of a trigger waits for one.
    # Nothing is fetched between triggers, so asking often costs nothing then.
    "kafka.fetch.max.wait.ms": "1",
}


def summing(settings: AggregatorSettings, punctuality: Punctuality) -> tuple[Any, str]:
    """What a worker does with its records, and the columns of its rows, as `mapInArrow` has them.

    Args:
        settings: whether there is an event window.
        punctuality: what late and future mean.
    """
    sums, _ = adding(settings, punctuality)
    return sums, DDL if settings.sliding is None else DDL_WITH_MOMENTS


def adding(settings: AggregatorSettings, punctuality: Punctuality) -> tuple[Any, Any]:
    """The same, with the columns as Arrow has them."""
    schema = SCHEMA if settings.sliding is None else WITH_MOMENTS
    return partial(partials, punctuality=punctuality, schema=schema), schema


def sensors(spark: SparkSession, settings: AggregatorSettings) -> DataFrame:
    """The stream of the workers' rows (`partial_sums.COLUMNS`).

    Raises:
        KafkaAccessError: a file of the way into Kafka cannot be used.
    """
    more = () if settings.dead_letter_topic is None else ("key", "partition", "offset")
    with files_of_access():
        access = spark_options(settings.access)
    punctuality = Punctuality(late=settings.late, future=settings.future)
    records = (
        spark.readStream.format("kafka")
        .options(**access)
        .option("subscribe", settings.topic)
        .option("startingOffsets", settings.starting_offsets)
        .option("maxOffsetsPerTrigger", str(settings.max_offsets))
        .option("failOnDataLoss", str(not settings.accept_loss).lower())
        .options(**OPTIONS)
        .load()
        .select("value", *more)
    )
    context = spark.sparkContext
    if (context.master or "").startswith("local"):
        # One task for each core instead of one for each partition: a small trigger is mostly the
        # price of its tasks. On a cluster nobody knows yet how many cores there will be.
        records = records.coalesce(context.defaultParallelism)
    return records.mapInArrow(*summing(settings, punctuality))
