"""`scripts/demo` without a file: the pipeline, its page, and a board that goes and comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.fleet.fleet import BOARD, BOARD_STATE
from deploy.local.process import await_end
from deploy.local.stack import state_path
from deploy.local.state import StackRecord, read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
PATIENCE = 240.0
"""Seconds; only a demo that hangs takes as long, also on a machine that does much else."""
CODE = """\
import runpy, signal, sys
# Who starts the tests in the background has them, and what they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("deploy.demo", run_name="__main__", alter_sys=True)
"""


class Demo:
    """A running demo, whose words are read as they come."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self._output = data.with_name("stdout").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, "--data", str(data), "--sensors", "102", *options],
            cwd=ROOT,
            stdout=self._output,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def await_line(self, words: str) -> str:
        self.await_true(lambda: self._said(words), f"the line {words!r}")
        return self._said(words)

    def await_true(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, "".join(self.lines)
            assert time.monotonic() < deadline, f"{what} did not come: " + "".join(self.lines)
            time.sleep(0.1)

    def _said(self, words: str) -> str:
        return next((line for line in list(self.lines) if words in line), "")

    @property
    def record(self) -> StackRecord:
        found = read_state(state_path(self.data))
        assert found is not None
        return found

    def status(self) -> dict[str, Any]:
        """The parts by name, as `status --json` says."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local", "status", "--data", str(self.data), "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        (stack,) = json.loads(done.stdout)["stacks"]
        return {part["name"]: part for part in stack["parts"]}

    def end(self, number: int) -> int:
        record = self.record
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join()
        for service in record.services.values():
            assert await_end(service.process.pid, service.process.started, 1)
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self._output.close()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def demo(data: Path) -> Iterator[Demo]:
    started = Demo(data)
    yield started
    started.close()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 our own address
        return json.load(answer)


def test_the_page_shows_a_fleet_whose_board_goes_and_comes_back(demo: Demo) -> None:
    found = re.search(r"http://127\.0\.0\.1:\d+/", demo.await_line("page       http"))
    assert found is not None
    page = found[0]

    def snapshot() -> Any:
        return get(f"{page}api/snapshot")["snapshot"] or {}

    def offline() -> int:
        by_state: dict[str, int] = dict(snapshot().get("offline", {}).get("by_state", ()))
        return by_state.get(BOARD_STATE, 0)

    demo.await_true(snapshot, "a snapshot")
    demo.await_line("it loses its network")
    # The board's own, while the fleet's sensors in the same state go on.
    demo.await_true(lambda: offline() >= 24, "an offline board")
    parts = demo.status()
    assert parts["board"]["state"] == "no broker"
    assert parts["board"]["behind"] > 0
    silent = get(f"{page}api/sensors/{BOARD_STATE}?limit=100")["sensors"]
    assert {one["guid"].startswith(BOARD) for one in silent if one["offline"]} == {True}

    demo.await_line("it has its network again")
    demo.await_true(lambda: len(snapshot()) > 0 and offline() <= 1, "a board that is back")
    demo.await_true(
        lambda: snapshot()["audit_since_start"]["missing"] == 0, "the backlog of the board"
    )
    last = snapshot()
    assert set(last["scopes"]) == {"window", "since_start"}
    assert len(last["rejected_since_start"]) == 4
    assert last["audit_since_start"]["duplicated"] > 0
    averages = dict(last["scopes"]["since_start"]["average_temperature_by_state"])
    assert len(averages) == 51
    assert averages["FL"] > averages["AK"] + 20

    demo.await_true(
        lambda: {part["state"] for part in demo.status().values()} == {"up"}, "a status of ups"
    )
    parts = demo.status()
    names = {"mosquitto", "kafka", "job", "bridge", "page", "agent", "board"}
    assert parts.keys() == names
    assert parts["agent"]["rate"] > 0
    assert parts["bridge"]["rate"] > 0
    assert parts["job"]["snapshot_age_s"] < 60
    assert parts["page"]["address"] + "/" == page
    assert all(Path(part["log"]).is_file() for part in parts.values())

    assert demo.end(signal.SIGINT) == 0
    assert not state_path(demo.data).exists()
    assert b"Total number of sensors" in demo.data.with_name("stdout").read_bytes()


def test_without_the_page_the_analytics_are_on_the_console(data: Path) -> None:
    demo = Demo(data, "--no-page")
    try:
        output = data.with_name("stdout")
        demo.await_true(lambda: b"Total number of sensors" in output.read_bytes(), "analytics")
        assert "page" not in demo.record.services
        assert demo.end(signal.SIGTERM) == 0
    finally:
        demo.close()
