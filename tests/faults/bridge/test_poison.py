"""Poison among good readings: it never blocks, and never harms its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.kafka.errors import RecordsRefusedError
from bridge.records import Batch, Record
from tests.bridge.kafka.sink_bench import SINKS, deliver_patiently, sink_of
from tests.bridge.readings import reading
from tests.faults.flow import Flow
from tests.faults.job.test_dead_letters import limit
from tests.support import Publisher, await_true, topic_records, unique

if TYPE_CHECKING:
    from deploy.local import Stack

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "client", ("kafka-python", pytest.param("librdkafka", marks=pytest.mark.faults))
)
def test_one_bad_line_of_500_and_a_reading_that_kafka_refuses(stack: Stack, client: str) -> None:
    with Flow(stack, client, print) as flow, flow.bridge() as bridge:
        bridge.await_line("ready")
        # Also what comes together is above it, and is not to be taken for poison.
        limit(stack, flow.topic, 8_000)
        good = [reading(f"guid-{n % 7}", n + 1) for n in range(499)]
        huge = reading("huge").replace(b'"state"', b'"note":"%s","state"' % (b"x" * 9_000))
        lines = b"\n".join([*good[:250], b'{"guid":', *good[250:]])
        with Publisher(stack.mqtt) as publisher:
            publisher.publish(flow.mqtt_topic, [huge, lines, b"", reading("last")])
            publisher.finish()
        await_true(lambda: len(flow.values()) == 500, "the good ones", 120)
        assert bridge.end() == 0
        assert sorted(flow.values()) == sorted([*good, reading("last")])
        letters = topic_records(stack.kafka, f"{flow.topic}.dead-letter")
        found = sorted((kept.headers["reason"], kept.value) for kept in letters)
        expected = [(b"not_json", b""), (b"not_json", b'{"guid":'), (b"too_large", huge)]
        assert found == expected


@pytest.mark.parametrize(("client", "delivery"), SINKS)
def test_what_is_refused_takes_none_of_its_batch_along(
    stack: Stack, client: str, delivery: str
) -> None:
    topic = unique("poison")
    stack.create_topics(topic, f"{topic}.dead-letter")
    limit(stack, topic, 8_000)
    good = [Record(b"guid", reading("guid", n + 1)) for n in range(400)]
    huge = [Record(b"huge", b"x" * size) for size in (9_000, 8_100)]
    batch = Batch([huge[0], *good[:200], huge[1], *good[200:]], [])
    refused: list[Record] = []
    sink = sink_of(stack.kafka, topic, client, delivery)
    try:
        sink.open()
        while batch.readings:
            try:
                deliver_patiently(sink, batch)
            except RecordsRefusedError as error:
                refused += [record for record, _why in error.refusals]
                batch = error.remaining
            else:
                break
    finally:
        sink.close()
    assert sorted(refused) == sorted(huge)
    assert sorted(kept.value for kept in topic_records(stack.kafka, topic)) == sorted(
        record.value for record in good
    )
