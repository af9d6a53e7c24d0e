"""What becomes of the topic while the job is not there: records deleted by Kafka, a new topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from aggregator.stream.session import packages
from tests.aggregator.support.jobs import analytics, lines, send, submit
from tests.aggregator.support.records import assert_same, oracle, reading

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.local import Stack

pytestmark = [pytest.mark.integration, pytest.mark.faults]

FIRST = [reading(f"s{number % 5}", "CA", 50 + number) for number in range(20)]
GONE = [reading("s1", "CA", 20.0), reading("s2", "CA", 21.0)]
LAST = [reading("s3", "CA", 30.0)]


def command(stack: Stack, topic: str, folder: Path, *flags: str) -> list[object]:
    return [
        *("--packages", packages(), "aggregator/job.py", "--kafka", stack.kafka),
        *("--topic", topic, "--checkpoint", folder / "ck", "--snapshots", folder / "s.jsonl"),
        *("--scope", "both", "--available-now", *flags),
    ]


def test_records_that_kafka_deleted_before_they_were_counted(
    stack: Stack, topic: str, tmp_path: Path
) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    send(stack, topic, FIRST, partition=0)
    assert submit(*command(stack, topic, tmp_path)).returncode == 0
    send(stack, topic, GONE, partition=0)
    send(stack, topic, LAST, partition=1)
    behind = TopicPartition(topic, 0, len(FIRST) + len(GONE))
    for deleted in admin.delete_records([behind]).values():
        deleted.result(timeout=30)

    refused = submit(*command(stack, topic, tmp_path))
    assert refused.returncode == 1
    assert "2 offsets (2 of partition 0). --accept-loss" in refused.stderr.splitlines()[-1]
    assert len(lines(tmp_path / "s.jsonl")) == 1

    done = submit(*command(stack, topic, tmp_path, "--accept-loss"))
    assert done.returncode == 0, done.stderr
    assert "going on without what is gone offsets=2" in done.stderr
    found = lines(tmp_path / "s.jsonl")[-1]["scopes"]["since_start"]
    assert_same(analytics(found), oracle(FIRST + LAST))


def test_a_topic_that_was_made_anew_and_has_grown_past_the_old_one(
    stack: Stack, topic: str, tmp_path: Path
) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    send(stack, topic, LAST, partition=0)
    assert submit(*command(stack, topic, tmp_path)).returncode == 0
    for deleted in admin.delete_topics([topic]).values():
        deleted.result(timeout=30)
    for made in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        made.result(timeout=30)
    send(stack, topic, FIRST, partition=0)
    for flags in ((), ("--accept-loss",)):
        refused = submit(*command(stack, topic, tmp_path, *flags))
        assert refused.returncode == 1
        assert f"topic {topic} was made anew" in refused.stderr.splitlines()[-1]
    assert len(lines(tmp_path / "s.jsonl")) == 1
