from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

import pytest

from deploy.local.state import (
    ProcessRecord,
    ServiceRecord,
    StackRecord,
    read_state,
    write_state,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    me = ProcessRecord.of(os.getpid())
    record = StackRecord(me, {"kafka": ServiceRecord(me, 9092, "/logs/kafka.log")})
    write_state(tmp_path / "stack.json", record)
    assert read_state(tmp_path / "stack.json") == record


def _state(**service: object) -> str:
    process = {"pid": 1, "started": 1}
    entry = {"process": process, "port": 1, "log": "x", "kind": ""} | service
    return json.dumps({"owner": process, "services": {"kafka": entry}})


@pytest.mark.parametrize(
    "text",
    (
        "",
        "{",
        "[]",
        "{}",
        '{"owner": 1, "services": {}}',
        "[" * 100_000,
        '{"owner": {"pid": 1' + "0" * 5_000,
        _state(port=70_000),
        _state(port=True),
        _state(port="80"),
        _state(log="\x1b[2J"),
        _state(log="\ud800"),
        _state(process={"pid": -1, "started": 1}),
        _state(process={"pid": 0, "started": 1}),
        _state(process={"pid": 2**40, "started": 1}),
        _state(process={"pid": 1, "started": 1.5}),
        " " * (1 << 21) + _state(),
    ),
)
def test_damaged_state_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    assert read_state(tmp_path / "stack.json") is None


def test_state_of_the_version_before_is_read(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(_state())
    assert read_state(tmp_path / "stack.json") is not None


def test_state_is_for_its_owner_alone_and_follows_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="ascii")
    state = tmp_path / "data" / "stack.json"
    state.parent.mkdir()
    (state.parent / "stack.new").symlink_to(victim)
    state.symlink_to(victim)
    me = ProcessRecord.of(os.getpid())
    write_state(state, StackRecord(me, {}))
    assert victim.read_text(encoding="ascii") == "mine"
    assert state.stat().st_mode & 0o777 == 0o600
    assert not state.is_symlink()
    assert len(list(state.parent.iterdir())) == 2
    # Nor is a link read, nor a file that has another name, nor one of another user.
    link = tmp_path / "link.json"
    link.symlink_to(state)
    assert read_state(link) is None
    hard = tmp_path / "hard.json"
    hard.hardlink_to(state)
    assert read_state(state) is None
    hard.unlink()
    assert read_state(state) is not None
    if os.geteuid() == 0:
        os.chown(state, 65_534, 65_534)
        assert read_state(state) is None


def test_a_pipe_in_the_place_of_the_state_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stack.json")
    assert read_state(tmp_path / "stack.json") is None


class _Sleeper:
    """A process that runs, with its output in a file or nowhere."""

    def __init__(self, log: Path | None = None) -> None:
        with contextlib.ExitStack() as stack:
            out = subprocess.DEVNULL if log is None else stack.enter_context(log.open("ab"))
            self.process = subprocess.Popen(["sleep", "600"], stdout=out, stderr=out)
        self.record = ProcessRecord.of(self.process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def _down(data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.local", "down", "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_planted_state_ends_no_process_that_its_stack_did_not_start(tmp_path: Path) -> None:
    data = tmp_path / "foreign"
    data.mkdir()
    log = data / "kafka.log"
    log.write_text("", encoding="ascii")
    # As good as it can be forged: the log is a link to a file that the victim has open.
    linked = data / "mosquitto.log"
    linked.symlink_to(os.devnull)
    outside = tmp_path / "outside.log"
    with _Sleeper() as one, _Sleeper() as two, _Sleeper(outside) as three:
        services = {
            "kafka": ServiceRecord(one.record, 9092, str(log)),
            "mosquitto": ServiceRecord(two.record, 1883, str(linked)),
            "page": ServiceRecord(three.record, 80, str(outside), "page"),
        }
        write_state(data / "stack.json", StackRecord(one.record, services))
        done = _down(data)
        assert [sleeper.process.poll() for sleeper in (one, two, three)] == [None] * 3
        assert done.returncode == 1
        assert f"left alone: {one.process.pid}" in done.stderr
        assert str(three.process.pid) in done.stderr


def test_what_a_stack_left_behind_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    with _Sleeper(log) as service:
        record = StackRecord(
            ProcessRecord(1, 2**40), {"kafka": ServiceRecord(service.record, 9092, str(log))}
        )
        write_state(tmp_path / "stack.json", record)
        # Its zombie would count as ended, too.
        done = _down(tmp_path)
        assert service.process.wait(20) == -signal.SIGTERM
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "stack.json").exists()


def test_missing_state_is_none(tmp_path: Path) -> None:
    assert read_state(tmp_path / "stack.json") is None


def test_a_later_process_with_the_same_pid_does_not_count() -> None:
    me = ProcessRecord.of(os.getpid())
    assert me.runs
    assert not ProcessRecord(me.pid, me.started - 1).runs
