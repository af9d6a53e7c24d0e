"""The parts of the pipeline as processes: done to, watched, and started again when they end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from deploy.local.process import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.local.process import Guard
    from deploy.local.services.base import Service

PAUSE: Final = 1.0
"""Seconds after which a part that ended is started again, as a service manager does."""
PATIENCE: Final = 60.0
"""Seconds that a part may take to end after SIGTERM."""

_ORDERLY: Final = (0, 128 + signal.SIGTERM)


class Part(Protocol):
    """Something that can be started again."""

    name: str

    def launch(self) -> None:
        """Start it, without waiting until it works."""

    @property
    def child(self) -> Child | None:
        """Its process; None before the first start."""


class Program:
    """A program of ours.

    Args:
        name: of the part, and of its log.
        command: what runs.
        log: where its words go, over all of its lives.
        guard: ends it should we die.
        environ: its whole environment.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        guard: Guard,
        environ: dict[str, str],
    ) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._guard = guard
        self._environ = environ
        self.child: Child | None = None

    def launch(self) -> None:
        """Start it."""
        self.child = Child(
            self.name,
            self._command,
            log=self._log,
            guard=self._guard,
            environ=self._environ,
            folder=self._log.parent,
        )


class Broker:
    """mosquitto or Kafka, with the port and the data that it had.

    Args:
        service: the one; has been started before.
    """

    def __init__(self, service: Service) -> None:
        self.name = service.name
        self._service = service

    @property
    def child(self) -> Child | None:
        """Its process."""
        return self._service.child

    def launch(self) -> None:
        """Start it again."""
        self._service.launch()


class End(NamedTuple):
    """A part ended.

    Attributes:
        part: its name.
        asked: what had been done to it; empty where it ended by itself.
        fate: its exit code or signal, for people.
        code: negative for a signal.
        words: the last line of its log.
    """

    part: str
    asked: str
    fate: str
    code: int
    words: str


class Supervisor:
    """Starts again what has ended; call `look` often.

    Args:
        report: told of each end that nobody asked for.
        clock: seconds, monotonic.
    """

    def __init__(
        self, report: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.parts: dict[str, Part] = {}
        self.ends: list[End] = []
        self._report = report
        self._clock = clock
        self._asked: dict[str, tuple[str, float]] = {}
        self._due: dict[str, float] = {}

    def add(self, part: Part) -> None:
        """Watch one that runs."""
        self.parts[part.name] = part

    def kill(self, name: str) -> None:
        """SIGKILL to all of its processes."""
        self._asked[name] = "kill", self._clock()
        for process in self._processes(name):
            send(process, signal.SIGKILL)

    def term(self, name: str) -> None:
        """SIGTERM, as a service manager ends it; after a while SIGKILL."""
        self._asked[name] = "term", self._clock()
        for process in self._processes(name)[:1]:
            send(process, signal.SIGTERM)

    def freeze(self, name: str) -> None:
        """SIGSTOP to all of its processes."""
        for process in self._processes(name):
            send(process, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT to all of them."""
        for process in self._processes(name):
            send(process, signal.SIGCONT)

    def kill_workers(self, name: str, share: float) -> int:
        """SIGKILL to some of a job's Python workers, at least one; how many that were."""
        found = [p for p in self._processes(name)[1:] if b"pyspark" in words(p)]
        chosen = found[: max(1, round(len(found) * share))] if found else []
        for process in chosen:
            send(process, signal.SIGKILL)
        if chosen:
            self._asked[name] = "worker", self._clock()
        return len(chosen)

    def look(self) -> None:
        """See who has ended, and start again who is due."""
        now = self._clock()
        for name, part in self.parts.items():
            child = part.child
            if name in self._due:
                if now >= self._due[name]:
                    self._launch(part)
            elif child is not None and child.ended() is not None:
                self._ended(name, child)
                self._due[name] = now + PAUSE
            elif (asked := self._asked.get(name)) and asked[0] == "term":
                self._hurry(name, now - asked[1])

    def stop(self, name: str) -> None:
        """End it for good, in order."""
        part = self.parts.pop(name, None)
        if part is not None and part.child is not None:
            self.thaw_tree(part.child.pid)
            part.child.stop(PATIENCE)

    def close(self) -> None:
        """End all that is left, at once."""
        for part in self.parts.values():
            if part.child is not None:
                for process in tree(part.child.pid):
                    send(process, signal.SIGKILL)
                part.child.stop(kill=True)
        self.parts.clear()

    def thaw_tree(self, pid: int) -> None:
        """SIGCONT to a process and all below it."""
        for process in tree(pid):
            send(process, signal.SIGCONT)

    def _processes(self, name: str) -> list[int]:
        part = self.parts[name]
        if part.child is None or part.child.ended() is not None:
            return []
        return tree(part.child.pid)

    def _launch(self, part: Part) -> None:
        try:
            part.launch()
        except OSError as error:
            # Its configuration does not fit on a disk that is full right now.
            self._report(f"{part.name} cannot be started yet: {error}")
            self._due[part.name] = self._clock() + PAUSE
            return
        del self._due[part.name]

    def _ended(self, name: str, child: Child) -> None:
        asked, _ = self._asked.pop(name, ("", 0.0))
        last = last_line(child.log)
        code = child.stop(kill=True)
        end = End(name, asked, child.fate(), code, last)
        self.ends.append(end)
        # Java says by its code that it ended by SIGTERM.
        if not asked or (asked == "term" and code not in _ORDERLY):
            self._report(f"{name} ended{' after SIGTERM' if asked else ''}: {end.fate}: {last}")

    def _hurry(self, name: str, waited: float) -> None:
        if waited > PATIENCE:
            self._report(f"{name} has not ended {PATIENCE:.0f} s after SIGTERM")
            self.kill(name)
            self._asked[name] = "late", self._clock()


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def tree(pid: int) -> list[int]:
    """A process and all below it, parents first (proc_pid_stat(5))."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                above = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(above, []).append(int(entry.name))
    found = [pid]
    for process in found:
        found += children.get(process, ())
    return found


def words(pid: int) -> bytes:
    """A process's command line; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def last_line(log: Path) -> str:
    """The last line of a log that says something."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 4096))
            lines = stream.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
