"""`scripts/demo --input` without its bootstrap: the whole pipeline with one file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from isotherm.contract import Reading, judge

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
SIMULATE = "from edge_agent.cli import main; main()"
BAD = {
    b"not json": "not_json",
    b"\xff\xfe": "not_utf8",
    b'{"guid": "x"}': "missing_field",
    b'{"x": "' + b"y" * 1_000_000 + b'"}': "too_large",
}


def python(
    *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        check=False,
        timeout=300,
    )


def simulated(readings: int) -> list[bytes]:
    done = python("-c", SIMULATE, "simulate", str(readings), "--seed", "4")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def oracle(lines: Iterable[bytes]) -> tuple[dict[str, float], dict[str, int], int]:
    """Average by state, sensors by state, sensors."""
    temperatures = defaultdict(list)
    guids = defaultdict(set)
    for line in lines:
        reading = judge(line)
        assert isinstance(reading, Reading)
        temperatures[reading.state].append(reading.temperature)
        guids[reading.state].add(reading.guid)
    averages = {state: sum(found) / len(found) for state, found in temperatures.items()}
    everyone = set.union(*guids.values())
    return averages, {state: len(found) for state, found in guids.items()}, len(everyone)


def test_every_line_is_counted_or_dead_lettered(tmp_path: Path) -> None:
    good = simulated(10_000)
    bad = list(BAD)
    lines = [*good[:5000], b"", *bad[:2], b"  ", *good[5000:], *bad[2:]]
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\r\n".join(lines))
    snapshots = tmp_path / "snapshots.jsonl"

    demo = ("-m", "deploy.demo", "--data", str(tmp_path / "data"), "--snapshots", str(snapshots))
    done = python(*demo, "--input", str(source))
    assert done.returncode == 0, done.stderr.decode()
    printed = done.stdout.decode()

    averages, sensors, everyone = oracle(good)
    last = json.loads(snapshots.read_text().splitlines()[-1])["scopes"]["since_start"]
    assert dict(last["average_temperature_by_state"]) == pytest.approx(averages, abs=1e-9)
    assert dict(last["sensors_by_state"]) == sensors
    assert "Total number of messages: 10000\n" in printed
    assert f"Total number of sensors: {everyone}\n" in printed
    assert "Rejected: 4\n" in printed
    assert all(f"  1 {why} (dead letter)\n" in printed for why in BAD.values())
    assert "from start to analytics" in printed


def test_a_part_that_dies_is_named_and_the_rest_is_stopped(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"{}\n")
    # A setting that the job does not know.
    environ = {**os.environ, "ISOTHERM_AGGREGATOR_NONSENSE": "1"}
    demo = ("-m", "deploy.demo", "--input", str(source), "--data", str(tmp_path / "data"))
    done = python(*demo, environ=environ)
    assert done.returncode == 1
    assert b"the job ended: exit code 2" in done.stderr
    assert b"ISOTHERM_AGGREGATOR_NONSENSE" in done.stderr
    assert not (tmp_path / "data" / "stack.json").exists()


@pytest.mark.parametrize("target", ("folder", "no-such-folder/file"))
def test_snapshots_that_cannot_be_written_are_a_usage_error(tmp_path: Path, target: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"{}\n")
    (tmp_path / "folder").mkdir()
    demo = ("-m", "deploy.demo", "--input", str(source), "--data", str(tmp_path / "data"))
    done = python(*demo, "--snapshots", str(tmp_path / target))
    assert done.returncode == 2
    assert b"--snapshots" in done.stderr
    assert not (tmp_path / "data").exists()
