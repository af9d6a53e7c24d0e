"""`kill -9` of the job's driver around its transactions, while a fleet goes on sending."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.ledger.report import opened, problems
from aggregator.stream.session import packages
from tests.aggregator.support.faulty_job import POINTS
from tests.aggregator.support.jobs import HOME, PATIENCE, ROOT, analytics, lines, running, until
from tests.aggregator.support.live_stream import LiveStream
from tests.aggregator.support.oracle import Oracle
from tests.aggregator.support.records import assert_same, reasons
from tests.support import topic_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.local import Stack

pytestmark = pytest.mark.integration


def command(stack: Stack, topic: str, folder: Path, *entry: str) -> list[str]:
    return [
        *(str(HOME / "bin" / "spark-submit"), "--packages", packages(), *entry),
        *("--kafka", stack.kafka, "--topic", topic, "--checkpoint", str(folder / "ck")),
        *("--snapshots", str(folder / "s.jsonl"), "--scope", "both,event:1m"),
        *("--trigger", "500 ms"),
    ]


@pytest.mark.parametrize("kills", (1, pytest.param(10, marks=pytest.mark.faults)))
def test_a_job_that_is_killed_around_its_transactions_counts_all_once(
    stack: Stack, topic: str, tmp_path: Path, report: Callable[[str], None], kills: int
) -> None:
    draw = random.Random()
    output = tmp_path / "out"
    snapshots = tmp_path / "s.jsonl"
    faulty = str(ROOT / "tests/aggregator/support/faulty_job.py")
    with LiveStream(stack.kafka, topic, pause=0.05 * kills) as stream:
        for point in [point for point in POINTS for _ in range(kills)]:
            killed = command(stack, topic, tmp_path, faulty, point, str(draw.randint(1, 3)))
            with running(killed, output) as process:
                assert process.wait(PATIENCE) == -signal.SIGKILL, output.with_suffix(".err")
    oracle = Oracle()
    oracle.add([stream.sent])
    expected = oracle.analytics()
    rejected = reasons(stream.sent)
    start = time.monotonic()
    with running(
        command(stack, topic, tmp_path, str(ROOT / "aggregator/job.py")), output
    ) as process:
        until(lambda: total(snapshots) >= expected.total_messages, process)
        until(lambda: lines(snapshots)[-1]["idle"], process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    found = lines(snapshots)
    last = found[-1]
    assert_same(analytics(last["scopes"]["since_start"]), expected)
    assert last["rejected_since_start"] == rejected
    assert last["audit_since_start"] == asdict(oracle.audit())
    # All are of one time, which the watermark has not passed.
    with opened(tmp_path / "ck.ledger.duckdb") as connection:
        kept = connection.execute("SELECT sum(readings) FROM event_open").fetchall()
        assert kept == [(expected.total_messages,)]
        assert problems(connection) == []
    letters = topic_records(stack.kafka, f"{topic}.dead-letter")
    places = {(letter.headers["partition"], letter.headers["offset"]) for letter in letters}
    assert len(letters) == len(places) == sum(rejected.values())
    twice = agree(found)
    report(
        f"{kills} kills at each of {', '.join(POINTS)}: {expected.total_messages} readings, "
        f"{oracle.audit().duplicated} doubles, {sum(rejected.values())} rejected, each counted and "
        f"each rejected one lettered once; {twice} snapshots came twice; "
        f"the last start took {time.monotonic() - start:.0f} s"
    )


def total(snapshots: Path) -> int:
    found = lines(snapshots)
    return found[-1]["scopes"]["since_start"]["total_messages"] if found else 0


def agree(found: list[dict[str, Any]]) -> int:
    """Hold every snapshot against itself and those before; how many came again after a crash."""
    by_batch: dict[int, dict[str, Any]] = {}
    messages, rejected = 0, Counter[str]()
    for line in found:
        assert line["query_id"] == found[0]["query_id"]
        window, since = line["scopes"]["window"], line["scopes"]["since_start"]
        if not line["idle"]:
            first = by_batch.setdefault(line["batch_id"], line)
            if first is line:
                messages += window["total_messages"]
                rejected += Counter(line["rejected"])
            # One that came again is the same to the last digit, but for its time.
            for key in ("scopes", "audit", "rejected", "rejected_since_start", "event_time"):
                assert line[key] == first[key]
        # The window has what arrived, the ledger each reading once.
        doubles = line["audit_since_start"]["duplicated"]
        assert since["total_messages"] == messages - doubles
        assert line["rejected_since_start"] == rejected
        for scope in (window, since):
            averages = dict(map(tuple, scope["average_temperature_by_state"]))
            assert averages.keys() == dict(map(tuple, scope["sensors_by_state"])).keys()
            assert sum(count for _, count in scope["sensors_by_state"]) == scope["total_sensors"]
    assert sorted(by_batch) == list(range(len(by_batch)))
    return sum(not line["idle"] for line in found) - len(by_batch)
