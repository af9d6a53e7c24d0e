"""`isotherm-aggregator doctor` against the real Kafka, and around a real job."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.aggregator.support.jobs import execute, send
from tests.aggregator.support.records import reading
from tests.support import ROOT, unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.local import Stack

pytestmark = pytest.mark.integration

COMMAND = (
    sys.executable,
    "-c",
    "import sys; from aggregator.cli.main import main; sys.exit(main())",
)
READINGS = [reading(f"g{n % 3}", "CA", 60.0, seq=n // 3 + 1) for n in range(30)]


def doctor(kafka: str, topic: str, folder: Path, *more: str) -> tuple[int, str]:
    checkpoint = str(folder / "checkpoint")
    words = ("--kafka", kafka, "--topic", topic, "--checkpoint", checkpoint, *more)
    done = execute(*COMMAND, "doctor", *words)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def topic(stack: Stack) -> str:
    name = unique("doctor")
    stack.create_topics(name, f"{name}.dead-letter", partitions=2)
    return name


def test_a_good_stack_has_no_failure(stack: Stack, topic: str, tmp_path: Path) -> None:
    more = ("--scope", "both", "--snapshots", str(tmp_path / "s.jsonl"))
    send(stack, topic, READINGS)
    code, text = doctor(stack.kafka, topic, tmp_path, *more)
    assert code == 0, text
    for sentence in (
        "ok   java          ",
        "ok   pyspark       version ",
        "ok   connector     version ",
        f"ok   place         --ledger {tmp_path}/checkpoint.ledger.duckdb can be written",
        f"ok   checkpoint    {tmp_path}/checkpoint is new",
        f"ok   kafka topic   {topic}: partitions 2",
        f"warn kafka copies  {topic} has one replica",
        f"ok   kafka lag     offsets of {topic} that are not counted: 30, the oldest ",
        "ok   memory        ",
    ):
        assert sentence in text
    assert not list(tmp_path.iterdir())


def test_what_is_missing_in_kafka_is_said(stack: Stack, tmp_path: Path) -> None:
    missing = unique("missing")
    code, text = doctor(stack.kafka, missing, tmp_path, "--analytics-topic", "none-of-these")
    assert code == 1
    assert f"fail kafka topic   {missing} does not exist" in text
    assert f"fail kafka topic   {missing}.dead-letter does not exist" in text
    assert "fail kafka topic   none-of-these does not exist" in text


def test_a_kafka_that_is_away_is_a_dependency(tmp_path: Path) -> None:
    code, text = doctor("127.0.0.1:1", "t", tmp_path)
    assert code == 3
    assert "fail kafka         127.0.0.1:1: " in text
    assert "Connection refused" in text


@pytest.fixture
def counted(stack: Stack, topic: str, tmp_path: Path) -> str:
    """A topic that a job has counted into a ledger."""
    send(stack, topic, READINGS)
    done = execute(
        *(*COMMAND, "submit", "--kafka", stack.kafka, "--topic", topic, "--available-now"),
        *("--checkpoint", tmp_path / "checkpoint", "--scope", "both", "--console", "off"),
    )
    assert done.returncode == 0, done.stderr
    return topic


@pytest.fixture
def holder(counted: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the ledger open, as a job has."""
    assert counted
    code = (
        "import sys; from pathlib import Path; from aggregator.ledger.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "checkpoint.ledger.duckdb")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_what_a_job_left_is_judged(
    stack: Stack, counted: str, holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    both = ("--scope", "both")
    code, text = doctor(stack.kafka, counted, tmp_path, *both)
    assert code == 0, text
    assert f"is open in another process (PID {holder.pid})" in text
    assert "that are not counted: 0\n" in text
    holder.communicate()

    code, text = doctor(stack.kafka, counted, tmp_path, *both)
    assert code == 0, text
    assert "checkpoint.ledger.duckdb agrees with itself and with the checkpoint" in text

    # What Kafka's retention does to a job that was away for too long.
    send(stack, counted, READINGS)
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    ends = [TopicPartition(counted, number, -1) for number in (0, 1)]
    for result in admin.delete_records(ends).values():
        result.result(10)
    code, text = doctor(stack.kafka, counted, tmp_path, *both)
    assert code == 1
    assert "fail kafka records records of topic" in text
    assert "--accept-loss" in text

    (tmp_path / "checkpoint.ledger.duckdb").unlink()
    code, text = doctor(stack.kafka, counted, tmp_path, *both)
    assert code == 1
    assert "fail ledger        the ledger" in text
    assert "ledger rebuild" in text
