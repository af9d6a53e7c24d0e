"""The job under a real spark-submit, on a real Kafka. Each start of Spark costs 10 to 15 s."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pyspark
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from aggregator.analytics import Analytics
from aggregator.session import packages
from tests.aggregator.records import BAD, assert_same, oracle, reading, reasons
from tests.aggregator.test_snapshot import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

pytestmark = pytest.mark.integration

MILLISECOND = len("2016-11-16T13:26:39.447")

HOME = Path(pyspark.__file__).parent
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **os.environ,
    "SPARK_HOME": str(HOME),
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_LOCAL_IP": "127.0.0.1",
}
PATIENCE = 120.0
FIRST: list[bytes | None] = [
    *BAD,
    None,
    *(
        reading(f"s{number % 70}", ("AK", "CA", "NV")[number % 3], 40 + number / 7, seq=number + 1)
        for number in range(1000)
    ),
]
SECOND: list[bytes | None] = [reading("s1", "CA", 61.3, seq=1001), reading("new", "AK"), b"{}"]


@pytest.fixture
def topic(stack: Any) -> str:
    name = f"readings-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    both = [NewTopic(name, 2, 1), NewTopic(f"{name}.dead-letter", 1, 1)]
    for made in admin.create_topics(both).values():
        made.result(timeout=30)
    return name


def send(stack: Any, topic: str, values: Iterable[bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": stack.kafka, "acks": "all"})
    for number, value in enumerate(values):
        producer.produce(topic, value=value, key=str(number))
    assert producer.flush(30) == 0


def submit(*words: object) -> subprocess.CompletedProcess[str]:
    command = [str(HOME / "bin" / "spark-submit"), *map(str, words)]
    return subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def analytics(scope: dict[str, Any]) -> Analytics:
    rows = {name: tuple(map(tuple, scope[name])) for name in scope if name.endswith("by_state")}
    return Analytics(**(scope | rows))


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"the job ended with {process.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def running(command: list[str], output: Path) -> Iterator[subprocess.Popen[str]]:
    with output.open("w") as stdout, output.with_suffix(".err").open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=stdout, stderr=stderr, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_counts_what_the_topic_holds_and_goes_on_there(
    stack: Any, topic: str, tmp_path: Path
) -> None:
    snapshots = tmp_path / "s.jsonl"
    events = tmp_path / "events"
    events.mkdir()
    command = [
        *("--packages", packages()),
        *("--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir={events}"),
        *("--conf", "spark.eventLog.rolling.enabled=false"),
        *("--conf", "spark.eventLog.compress=false"),
        *("aggregator/job.py", "--kafka", stack.kafka, "--topic", topic),
        *("--checkpoint", tmp_path / "ck", "--snapshots", snapshots),
        *("--scope", "both", "--available-now"),
    ]
    send(stack, topic, FIRST)
    done = submit(*command)
    assert done.returncode == 0, done.stderr
    (first,) = lines(snapshots)
    jsonschema.validate(first, SCHEMA)
    records = [record for record in FIRST if record is not None]
    rejected = Counter(reasons(records)) + Counter({"not_json": 1})
    assert_same(analytics(first["scopes"]["window"]), oracle(records))
    assert_same(analytics(first["scopes"]["since_start"]), oracle(records))
    assert first["rejected"] == first["rejected_since_start"] == rejected
    assert first["audit"] == {"received": 1000, "unsynced": 0}
    assert done.stdout.startswith("-" * 43 + "\nTime: ")
    assert done.stdout.count("Total number of messages: 1000\n") == 2
    assert job_starts(events) == 1

    send(stack, topic, SECOND)
    done = submit(*command)
    assert done.returncode == 0, done.stderr
    _, second = lines(snapshots)
    added = [record for record in SECOND if record is not None]
    assert (second["query_id"], second["batch_id"]) == (first["query_id"], 1)
    assert_same(analytics(second["scopes"]["window"]), oracle(added))
    assert_same(analytics(second["scopes"]["since_start"]), oracle(records + added))
    assert second["rejected"] == {"missing_field": 1}
    assert second["rejected_since_start"] == rejected + Counter(second["rejected"])


def job_starts(events: Path) -> int:
    """How many Spark jobs an event log tells of."""
    (log,) = events.iterdir()
    return log.read_text(encoding="utf-8").count('"Event":"SparkListenerJobStart"')


def submitted(stack: Any, topic: str, snapshots: Path) -> list[str]:
    entry = "import sys; from aggregator.cli import main; sys.exit(main())"
    return [
        *(sys.executable, "-c", entry, "submit", "--kafka", stack.kafka, "--topic", topic),
        *("--checkpoint", str(snapshots.with_name("ck")), "--snapshots", str(snapshots)),
        *("--trigger", "1 second"),
    ]


def test_shows_data_then_that_it_is_idle_and_ends_well(
    stack: Any, topic: str, tmp_path: Path
) -> None:
    snapshots = tmp_path / "s.jsonl"
    output = tmp_path / "out"
    with running(submitted(stack, topic, snapshots), output) as process:
        until(lambda: any(line["idle"] for line in lines(snapshots)), process)
        send(stack, topic, SECOND)
        until(lambda: any(not line["idle"] for line in lines(snapshots)), process)
        until(lambda: lines(snapshots)[-1]["idle"], process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    found = lines(snapshots)
    for line in found:
        jsonschema.validate(line, SCHEMA)
    with_data = [line for line in found if not line["idle"]]
    messages = [line["scopes"]["window"]["total_messages"] for line in with_data]
    assert sum(messages) == 2
    text = output.read_text(encoding="utf-8")
    assert text.count("No new messages\n") == len(found) - len(with_data)
    assert text.count("Total number of messages: ") == len(with_data)


def test_says_once_that_kafka_is_away_and_in_one_sentence_that_records_are_gone(
    stack: Any, topic: str, tmp_path: Path
) -> None:
    snapshots = tmp_path / "s.jsonl"
    output = tmp_path / "out"
    errors = tmp_path / "out.err"
    send(stack, topic, FIRST)
    with running(submitted(stack, topic, snapshots), output) as process:
        until(lambda: len(lines(snapshots)) > 1 and lines(snapshots)[-1]["idle"], process)
        stack.stop_kafka()
        try:
            until(lambda: "aggregator waiting missing=broker" in errors.read_text(), process)
        finally:
            stack.start_kafka()
        until(lambda: "aggregator found" in errors.read_text(), process)
        send(stack, topic, SECOND)
        until(lambda: counted(snapshots) == 1002, process)
        said = [line for line in errors.read_text().splitlines() if " aggregator " in line]
        assert [line.split()[3] for line in said] == ["waiting", "found"]
        # Meanwhile Kafka started, which takes longer than a trigger.
        # Log lines end their time at the millisecond; "…55.165883Z" is not before "…55.165Z".
        away, back = (line.split()[0][:MILLISECOND] for line in said)
        ends = [line["window"]["end"][:MILLISECOND] for line in lines(snapshots)]
        assert not [end for end in ends if away < end < back]

        admin = AdminClient({"bootstrap.servers": stack.kafka})
        for deleted in admin.delete_topics([topic]).values():
            deleted.result(timeout=30)
        until(lambda: "missing=topic" in errors.read_text(), process)
        for made in admin.create_topics([NewTopic(topic, 2, 1)]).values():
            made.result(timeout=30)
        assert process.wait(timeout=PATIENCE) == 1
    assert "are gone from Kafka" in errors.read_text().splitlines()[-1]
    assert "\n\tat " not in errors.read_text().replace("\tat.yawk", "")


def counted(snapshots: Path) -> int:
    """The valid readings of all triggers."""
    return sum(line["scopes"]["window"]["total_messages"] for line in lines(snapshots))


def test_a_missing_connector_is_one_sentence(tmp_path: Path) -> None:
    done = submit("aggregator/job.py", "--kafka", "127.0.0.1:1", "--checkpoint", tmp_path / "ck")
    assert done.returncode == 2
    assert f"start the job with spark-submit --packages {packages()}\n" in done.stderr
    assert "\tat " not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
