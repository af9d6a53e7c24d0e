"""The job under a real spark-submit, on a real Kafka. Each start of Spark costs 10 to 15 s."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]

from aggregator.stream.session import packages
from tests.aggregator.analytics.test_snapshot import SCHEMA
from tests.aggregator.support.jobs import (
    PATIENCE,
    analytics,
    counted,
    execute,
    lines,
    running,
    send,
    submit,
    submitted,
    until,
)
from tests.aggregator.support.oracle import Oracle
from tests.aggregator.support.records import BAD, assert_same, oracle, reading, reasons

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

MILLISECOND = len("2016-11-16T13:26:39.447")

FIRST: list[bytes | None] = [
    *BAD,
    None,
    *(
        reading(f"s{number % 70}", ("AK", "CA", "NV")[number % 3], 40 + number / 7, seq=number + 1)
        for number in range(1000)
    ),
]
SECOND: list[bytes | None] = [reading("s1", "CA", 61.3, seq=1001), reading("new", "AK"), b"{}"]


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
    count = Oracle()
    count.add([records])
    assert first["audit"] == first["audit_since_start"] == asdict(count.audit())
    assert first["event_time"]["late"] == 1000
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
    count.add([added])
    assert second["audit_since_start"] == asdict(count.audit())
    assert (second["audit"]["received"], second["audit"]["duplicated"]) == (1, 0)
    assert second["rejected"] == {"missing_field": 1}
    assert second["rejected_since_start"] == rejected + Counter(second["rejected"])


def test_a_backlog_is_counted_in_several_triggers(stack: Any, topic: str, tmp_path: Path) -> None:
    snapshots = tmp_path / "s.jsonl"
    send(stack, topic, FIRST)
    command = [*submitted(stack, topic, snapshots), "--scope", "both", "--available-now"]
    done = execute(*command, "--max-offsets", 300)
    assert done.returncode == 0, done.stderr
    found = lines(snapshots)
    records = [record for record in FIRST if record is not None]
    assert len(found) >= len(FIRST) / 300
    assert counted(snapshots) == 1000
    assert_same(analytics(found[-1]["scopes"]["since_start"]), oracle(records))
    count = Oracle()
    count.add([records])
    assert found[-1]["audit_since_start"] == asdict(count.audit())
    behind = [line["lag"] for line in found]
    assert behind == sorted(behind, reverse=True)
    assert behind[-1] == 0


def job_starts(events: Path) -> int:
    """How many Spark jobs an event log tells of."""
    (log,) = events.iterdir()
    return log.read_text(encoding="utf-8").count('"Event":"SparkListenerJobStart"')


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
        for grown in admin.create_partitions([NewPartitions(topic, 3)]).values():
            grown.result(timeout=30)
        send(stack, topic, [reading("s1", "CA", 61.3)], partition=2)
        until(lambda: counted(snapshots) == 1003, process)

        for deleted in admin.delete_topics([topic]).values():
            deleted.result(timeout=30)
        until(lambda: "missing=topic" in errors.read_text(), process)
        for made in admin.create_topics([NewTopic(topic, 2, 1)]).values():
            made.result(timeout=30)
        assert process.wait(timeout=PATIENCE) == 1
    assert "was made anew" in errors.read_text().splitlines()[-1]
    assert "\n\tat " not in errors.read_text().replace("\tat.yawk", "")


def test_a_missing_connector_is_one_sentence(tmp_path: Path) -> None:
    done = submit("aggregator/job.py", "--kafka", "127.0.0.1:1", "--checkpoint", tmp_path / "ck")
    assert done.returncode == 2
    assert f"start the job with spark-submit --packages {packages()}\n" in done.stderr
    assert "\tat " not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
