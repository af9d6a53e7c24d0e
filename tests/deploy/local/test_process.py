from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import StackError
from deploy.local.process import Child, Guard, await_end, log_tail, started_at

if TYPE_CHECKING:
    from collections.abc import Iterator

# Says its own process id and that of a process that it started itself.
FAMILY = """
import os, subprocess, sys, time
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), inner.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


def lines(path: Path, timeout: float = 10.0) -> list[str]:
    deadline = time.monotonic() + timeout
    while not (text := path.read_text() if path.exists() else "").endswith("\n"):
        assert time.monotonic() < deadline, f"{path} stays empty"
        time.sleep(0.02)
    return text.splitlines()


def gone(pid: int) -> bool:
    started = started_at(pid)
    return started is None or await_end(pid, started, 10.0)


def test_child_writes_its_log_and_says_how_it_ended(tmp_path: Path, guard: Guard) -> None:
    log = tmp_path / "log"
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    child = Child("it", [sys.executable, "-u", "-c", code], log=log, guard=guard)
    assert child.wait(10) == 7
    assert child.fate() == "exit code 7"
    assert log_tail(log).splitlines()[1:] == ["out", "err"]
    assert child.stop() == 7


def test_program_that_does_not_exist_is_a_sentence(tmp_path: Path, guard: Guard) -> None:
    with pytest.raises(StackError, match="it cannot be started: /no/such"):
        Child("it", ["/no/such"], log=tmp_path / "log", guard=guard)


class InterruptedGuard(Guard):
    """Ctrl-C comes in the moment between a start and its entry under guard."""

    group = 0

    def watch(self, group: int) -> None:
        self.group = group
        signal.raise_signal(signal.SIGINT)
        super().watch(group)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_ctrl_c_in_the_moment_of_a_start_leaves_nothing(tmp_path: Path) -> None:
    guard = InterruptedGuard()
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(KeyboardInterrupt):
        Child("it", command, log=tmp_path / "log", guard=guard)
    # Nobody got the child to wait for it, and to the guard an unreaped one is still there.
    with ThreadPoolExecutor(1) as pool:
        reaped = pool.submit(os.waitpid, guard.group, 0)
        guard.close()
        reaped.result(10)
    assert gone(guard.group)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_stop_ends_what_the_child_started(tmp_path: Path, guard: Guard) -> None:
    log = tmp_path / "log"
    child = Child("it", [sys.executable, "-c", FAMILY], log=log, guard=guard)
    outer, inner = map(int, lines(log)[0].split())
    child.stop()
    assert child.fate() == "killed by SIGTERM"
    assert gone(outer)
    assert gone(inner)


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path, guard: Guard) -> None:
    log = tmp_path / "log"
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); input()"
    command = [sys.executable, "-c", code.replace("input()", "signal.pause()")]
    child = Child("it", command, log=log, guard=guard)
    lines(log)
    child.stop(timeout=0.2)
    assert child.fate() == "killed by SIGKILL"


def test_killed_starter_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    # SIGKILL between a start and its entry under guard, which is one write, is past helping: so it
    # comes after that. On a busy machine the family may be up before.
    starter = f"""
import sys, time
from pathlib import Path
from deploy.local.process import Child, Guard
child = Child("it", [sys.executable, "-c", {FAMILY!r}], log=Path({str(log)!r}), guard=Guard())
print("guarded", flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", starter]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "guarded\n"
        outer, inner = map(int, lines(log)[0].split())
        process.kill()
    assert gone(outer)
    assert gone(inner)


def test_the_guard_is_there_before_what_it_guards(tmp_path: Path) -> None:
    order: list[str] = []

    class Watcher(Guard):
        def start(self) -> None:
            order.append("start")
            super().start()

        def watch(self, group: int) -> None:
            order.append("watch")
            super().watch(group)

    guard = Watcher()
    with pytest.raises(StackError):
        Child("it", ["/no/such"], log=tmp_path / "log", guard=guard)
    assert order == ["start"]
    Child("it", [sys.executable, "-c", ""], log=tmp_path / "log", guard=guard).wait(10)
    assert order[1:3] == ["start", "watch"]
    guard.close()


def test_start_time_tells_processes_apart() -> None:
    mine = started_at(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        started = started_at(other.pid)
        assert started is not None
        assert mine is not None
        assert started >= mine
    assert started_at(other.pid) is None
    # Its pid with another start is another process, which is not waited for.
    assert await_end(os.getpid(), mine + 1, 0)
    assert not await_end(os.getpid(), mine, 0)
