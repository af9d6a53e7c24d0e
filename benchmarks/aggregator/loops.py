"""Contenders without Spark, each a process of its own in the Python that has its library.

``python loops.py loop|quixstreams|bytewax KAFKA TOPIC PARTITIONS READINGS OUTPUT``. They judge
nothing, keep no totals and no place to go on from: what they have to do is take JSON apart and
count. After every READINGS messages they append one line with the four analytics and the seconds
since the first of these messages.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL: Final = 10_000
_LONG_MS: Final = 1_800_000
"""A contender that waits for its turn keeps its place in the group."""

Row = tuple[str, str, float]
"""State, guid, temperature."""


class Counting:
    """Collects rows, and writes a line when all of a batch are there."""

    def __init__(self, readings: int, output: Path) -> None:
        from benchmarks.aggregator.fleet import analytics  # noqa: PLC0415 found by PYTHONPATH

        self._analytics = analytics
        self._readings = readings
        self._output = output
        self._rows: list[Row] = []
        self._started = 0.0

    def add(self, rows: list[Row]) -> None:
        """Take the next rows."""
        if not self._rows:
            self._started = time.monotonic()
        self._rows += rows
        if len(self._rows) < self._readings:
            return
        found = self._analytics(self._rows)
        found["seconds"] = time.monotonic() - self._started
        self._rows = []
        with self._output.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(found) + "\n")


def loop(kafka: str, topic: str, partitions: int, counting: Counting) -> None:
    """confluent-kafka in batches, and a msgspec decoder with the three fields."""
    import msgspec  # noqa: PLC0415 each contender loads its own library only
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 as above

    Data = msgspec.defstruct("Data", [("temperature", float)])  # noqa: N806 a class
    Payload = msgspec.defstruct("Payload", [("data", Data)])  # noqa: N806 a class
    Record = msgspec.defstruct("Record", [("guid", str), ("state", str), ("payload", Payload)])  # noqa: N806 a class
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(Record).decode
    consumer: Any = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "loop",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.message.max.bytes": 16 << 20,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    while True:
        rows = []
        for message in consumer.consume(_POLL, 1.0):
            if message.error() is None:
                record = decode(message.value())
                rows.append((record.state, record.guid, record.payload.data.temperature))
        if rows:
            counting.add(rows)


def quixstreams(kafka: str, topic: str, _partitions: int, counting: Counting) -> None:
    """Quixstreams with its own JSON."""
    application = import_module("quixstreams").Application(
        broker_address=kafka,
        consumer_group="quixstreams",
        auto_offset_reset="earliest",
        consumer_extra_config={
            "isolation.level": "read_committed",
            "session.timeout.ms": _LONG_MS,
            "max.poll.interval.ms": _LONG_MS,
        },
        loglevel="ERROR",
    )
    frame = application.dataframe(application.topic(topic, value_deserializer="json"))

    def one(value: Any) -> None:
        counting.add([(value["state"], value["guid"], value["payload"]["data"]["temperature"])])

    frame.update(one)
    application.run()


def bytewax(kafka: str, topic: str, _partitions: int, counting: Counting) -> None:
    """Bytewax with msgspec, its Kafka source in batches of 10,000."""
    op: Any = import_module("bytewax.operators")
    outputs: Any = import_module("bytewax.outputs")
    decode = import_module("msgspec").json.decode

    class Partition(outputs.StatelessSinkPartition):  # type: ignore[misc] # not installed here
        def write_batch(self, items: list[Row]) -> None:
            counting.add(items)

    class Sink(outputs.DynamicSink):  # type: ignore[misc] # the same
        def build(self, *_: Any) -> Partition:
            return Partition()

    def row(message: Any) -> Row:
        value = decode(message.value)
        return value["state"], value["guid"], value["payload"]["data"]["temperature"]

    flow = import_module("bytewax.dataflow").Dataflow("bench")
    source = import_module("bytewax.connectors.kafka").KafkaSource(
        [kafka], [topic], add_config={"isolation.level": "read_committed"}, batch_size=_POLL
    )
    op.output("out", op.map("row", op.input("in", flow, source), row), Sink())
    import_module("bytewax.testing").run_main(flow)


if __name__ == "__main__":
    name, brokers, source_topic, partition_count, size, target = sys.argv[1:]
    contender = {"loop": loop, "quixstreams": quixstreams, "bytewax": bytewax}[name]
    contender(brokers, source_topic, int(partition_count), Counting(int(size), Path(target)))
