"""The same job on a cluster, with nothing of ours installed there."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.aggregator.support.cluster import WORKERS, cluster, configuration, executors
from tests.aggregator.support.jobs import (
    PATIENCE,
    analytics,
    counted,
    lines,
    running,
    send,
    submitted,
    until,
)
from tests.aggregator.support.records import BAD, assert_same, oracle, reading, reasons

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

RECORDS: list[bytes] = [
    *BAD,
    *(
        reading(f"s{number % 70}", ("AK", "CA", "NV")[number % 3], 40 + number / 7, seq=number + 1)
        for number in range(1000)
    ),
]


def test_the_job_runs_unchanged_on_a_master_and_two_workers(
    stack: Any, topic: str, tmp_path: Path
) -> None:
    snapshots = tmp_path / "s.jsonl"
    send(stack, topic, RECORDS)
    with cluster(tmp_path) as master:
        # From another folder, as an installed job: executors find ours by the archive alone.
        command = [
            *("env", f"SPARK_CONF_DIR={configuration(tmp_path)}"),
            *submitted(stack, topic, snapshots),
            *("--scope", "both", "--master", master),
            *("--conf", "spark.executor.memory=512m"),
        ]
        with running([*command[:1], *command[2:]], tmp_path / "stranger") as process:
            # Who does not have the secret is not let in.
            assert process.wait(PATIENCE) != 0
        assert counted(snapshots) == 0
        with running(command, tmp_path / "out") as process:
            until(lambda: counted(snapshots) == 1000, process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    assert executors(tmp_path) == WORKERS
    (first, *_) = lines(snapshots)
    assert_same(analytics(first["scopes"]["since_start"]), oracle(RECORDS))
    assert first["rejected_since_start"] == reasons(RECORDS)
