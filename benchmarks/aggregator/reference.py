"""The reference's way, under spark-submit: four analytics, each out of RDDs of parsed JSON.

A port of the usual IoT example to Structured Streaming, since Spark 4 has no Kafka source for
DStreams: each trigger's records become an RDD of `json.loads`, and each of the four analytics is
computed from it by itself, with the transformations and the order of that example (nothing is
cached, so each reads Kafka and parses again). Run as
``spark-submit --packages … reference.py KAFKA TOPIC CHECKPOINT OUTPUT SECONDS``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def four_analytics(frame: DataFrame) -> dict[str, Any]:
    """Four RDD jobs, as the reference has them."""
    rdd = frame.selectExpr("CAST(value AS STRING)").rdd.map(lambda row: json.loads(row[0]))
    averages = (
        rdd.map(lambda x: (x["state"], (x["payload"]["data"]["temperature"], 1)))
        .reduceByKey(lambda x, y: (x[0] + y[0], x[1] + y[1]))
        .map(lambda x: (x[0], x[1][0] / x[1][1]))
        .sortBy(lambda x: x[1], ascending=False)
        .collect()
    )
    messages = rdd.map(lambda _: 1).reduce(lambda x, y: x + y)
    by_state = (
        rdd.map(lambda x: (x["state"] + ":" + x["guid"], 1))
        .reduceByKey(lambda x, _: x)
        .map(lambda x: (re.sub(":.*", "", x[0]), x[1]))
        .reduceByKey(lambda x, y: x + y)
        .sortBy(lambda x: x[0])
        .collect()
    )
    sensors = rdd.map(lambda x: (x["guid"], 1)).reduceByKey(lambda x, _: x).count()
    return {
        "average_temperature_by_state": averages,
        "total_messages": messages,
        "sensors_by_state": by_state,
        "total_sensors": sensors,
    }


def main(kafka: str, topic: str, checkpoint: str, output: str, seconds: str) -> None:
    """Run until killed; one JSON line for each trigger with data."""
    spark = SparkSession.builder.appName("reference").getOrCreate()

    def batch(frame: DataFrame, _batch_id: int) -> None:
        found = four_analytics(frame)
        print(json.dumps(found), flush=True)
        with Path(output).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(found) + "\n")

    (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka)
        .option("kafka.isolation.level", "read_committed")
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
        .writeStream.foreachBatch(batch)
        .option("checkpointLocation", checkpoint)
        .trigger(processingTime=f"{seconds} seconds")
        .start()
        .awaitTermination()
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
