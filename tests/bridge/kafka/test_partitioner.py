from __future__ import annotations

from kafka.partitioner import DefaultPartitioner

from bridge.kafka.kafka_python.partitioner import KeyPartitioner


class Cluster:
    """As much of kafka-python's metadata as a partitioner asks."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return self._partitions

    def available_partitions_for_topic(self, _topic: str) -> set[int]:
        return self._partitions


def test_a_key_goes_where_kafka_python_and_java_send_it_also_when_partitions_are_added() -> None:
    ours, theirs = KeyPartitioner(), DefaultPartitioner()
    for partitions in (1, 4, 7):
        cluster = Cluster(partitions)
        for number in range(500):
            key = b"guid-%d" % (number % 250)
            asked = ("t", key, key, b"v", b"v", cluster)
            assert ours.partition(*asked) == theirs.partition(*asked)
