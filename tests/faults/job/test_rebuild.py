"""A checkpoint that has lost its ledger: refused, rebuilt from the topic, and gone on with."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from aggregator.kafka.checkpoint import read_checkpoint
from aggregator.ledger.report import opened, problems, status
from aggregator.stream.session import packages
from tests.aggregator.support.jobs import analytics, execute, lines, send, submit
from tests.aggregator.support.oracle import Oracle
from tests.aggregator.support.records import BAD, assert_same, gap, reading

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.local import Stack

pytestmark = [pytest.mark.integration, pytest.mark.faults]

EARLIER = [reading("a", seq=number, temperature=40.0 + number) for number in range(1, 5)]
FIRST = [
    *(reading(f"s{number % 7}", seq=1 + number // 7, temperature=number) for number in range(70)),
    reading("a", seq=3),
    gap("a", first=5, last=6, count=2, seq=7),
    *BAD,
]
SECOND = [reading("a", seq=7 + number, temperature=50.0) for number in range(4)]


def flags(stack: Stack, topic: str, folder: Path) -> list[object]:
    return [
        *("--kafka", stack.kafka, "--topic", topic, "--checkpoint", folder / "ck"),
        *("--scope", "both"),
    ]


def count(stack: Stack, topic: str, folder: Path) -> list[object]:
    return [
        *("--packages", packages(), "aggregator/job.py", *flags(stack, topic, folder)),
        *("--snapshots", folder / "s.jsonl", "--available-now"),
    ]


def rebuild(stack: Stack, topic: str, folder: Path) -> list[object]:
    entry = "import sys; from aggregator.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", entry, "ledger", "rebuild", *flags(stack, topic, folder)]


def test_the_same_checkpoint_goes_on_with_a_ledger_that_was_rebuilt(
    stack: Stack, topic: str, tmp_path: Path
) -> None:
    path = tmp_path / "ck.ledger.duckdb"
    oracle = Oracle()
    for records in (EARLIER, FIRST):
        send(stack, topic, records, partition=0)
        assert submit(*count(stack, topic, tmp_path)).returncode == 0
        oracle.add([records])
    path.unlink()
    refused = submit(*count(stack, topic, tmp_path))
    assert refused.returncode == 2
    assert "lacks batches 0 to 1" in refused.stderr.splitlines()[-1]
    assert "isotherm-aggregator ledger rebuild" in refused.stderr

    # What comes meanwhile is the next batch's.
    send(stack, topic, SECOND, partition=0)
    path.unlink(missing_ok=True)
    done = execute(*rebuild(stack, topic, tmp_path))
    assert done.returncode == 0, done.stderr
    with opened(path) as connection:
        assert problems(connection, read_checkpoint(tmp_path / "ck")) == []
        assert status(connection)["readings"] == oracle.analytics().total_messages

    assert submit(*count(stack, topic, tmp_path)).returncode == 0
    oracle.add([SECOND])
    last = lines(tmp_path / "s.jsonl")[-1]
    assert last["batch_id"] == 2
    assert_same(analytics(last["scopes"]["since_start"]), oracle.analytics())
    assert last["audit_since_start"] == asdict(oracle.audit())

    # Kafka's retention takes the first of them.
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    for deleted in admin.delete_records([TopicPartition(topic, 0, 4)]).values():
        deleted.result(timeout=30)
    done = execute(*rebuild(stack, topic, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "offsets that were counted are gone from Kafka offsets=4" in done.stderr
    assert path.with_name(f"{path.name}.before-rebuild").exists()
    remaining = Oracle()
    remaining.add([FIRST + SECOND])
    with opened(path) as connection:
        assert status(connection)["readings"] == remaining.analytics().total_messages
