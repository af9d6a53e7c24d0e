"""Parts as processes: what has ended is started again, and nothing outlives the supervisor."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.process import Guard
from tests.faults.chaos.parts import Program, Supervisor, last_line, tree
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPS!r}])"


@contextmanager
def watched(folder: Path, code: str) -> Iterator[tuple[Supervisor, Program, list[str]]]:
    said: list[str] = []
    guard = Guard()
    # A second passes with each look.
    now = iter(range(10_000))
    supervisor = Supervisor(said.append, lambda: float(next(now)))
    part = Program(
        "part",
        [sys.executable, "-c", code],
        log=folder / "part.log",
        guard=guard,
        environ=dict(os.environ),
    )
    part.launch()
    supervisor.add(part)
    try:
        yield supervisor, part, said
    finally:
        supervisor.close()
        guard.close()


def pid(part: Program) -> int:
    assert part.child is not None
    return part.child.pid


def look_until_another(supervisor: Supervisor, part: Program, before: int) -> None:
    def another() -> bool:
        supervisor.look()
        return pid(part) != before

    await_true(another, "another life")


def test_a_part_that_was_killed_is_started_again_without_a_word(tmp_path: Path) -> None:
    with watched(tmp_path, SLEEPS) as (supervisor, part, said):
        before = pid(part)
        supervisor.kill("part")
        look_until_another(supervisor, part, before)
        assert said == []
        [end] = supervisor.ends
        assert (end.asked, end.code) == ("kill", -signal.SIGKILL)


def test_a_part_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    with watched(tmp_path, "import sys; sys.exit('no more')") as (supervisor, part, said):
        look_until_another(supervisor, part, pid(part))
        assert said[0] == "part ended: exit code 1: no more"


def test_one_that_does_not_end_at_sigterm_is_killed_in_the_end(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(15, 1); print('up', flush=True); signal.pause()"
    with watched(tmp_path, deaf) as (supervisor, part, said):
        await_true(lambda: last_line(tmp_path / "part.log") == "up", "its first word")
        before = pid(part)
        supervisor.term("part")
        look_until_another(supervisor, part, before)
        assert said == [
            "part has not ended 60 s after SIGTERM",
        ]


def test_what_is_frozen_stands_still_with_all_below_it(tmp_path: Path) -> None:
    with watched(tmp_path, PARENT) as (supervisor, part, _):
        await_true(lambda: len(tree(pid(part))) == 2, "its child")
        supervisor.freeze("part")
        for process in tree(pid(part)):
            await_true(lambda process=process: state(process) == "T", "it to stand still")  # type: ignore[misc]
        supervisor.thaw("part")
        for process in tree(pid(part)):
            await_true(lambda process=process: state(process) != "T", "it to go on")  # type: ignore[misc]


def test_nothing_is_left(tmp_path: Path) -> None:
    with watched(tmp_path, PARENT) as (_, part, _said):
        await_true(lambda: len(tree(pid(part))) == 2, "its child")
        processes = tree(pid(part))
    await_true(lambda: all(state(process) in "ZX" for process in processes), "their end")


def state(process: int) -> str:
    """One letter (proc_pid_stat(5)); X where it is gone."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return "X"
    return stat.rpartition(")")[2].split()[0]
