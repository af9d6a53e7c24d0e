"""Child processes that log to a file, stop in order, and never outlive their starter."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from deploy.errors import StackError
from deploy.local import guard as guard_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STOP_TIMEOUT: Final = 20.0
TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 16_384
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Guard:
    """One helper process that ends our children should this process die; see `guard`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the helper, so that `watch` is one write: what is started before it is at risk."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", guard_module.__file__],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )

    def watch(self, group: int) -> None:
        """Put a process group under guard."""
        self.start()
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Take a process group off guard."""
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the helper; groups still under guard are ended first."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()

    def _tell(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()


class Child:
    """One running program with its own session, so that Ctrl-C in the terminal does not reach it.

    Args:
        name: for people.
        command: the program and its arguments.
        log: where stdout and stderr go, appended.
        guard: whom to tell.
        environ: its whole environment; default ours.
        output: where stdout goes instead of the log.
        folder: its working folder; default ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        guard: Guard,
        environ: Mapping[str, str] | None = None,
        output: IO[bytes] | int | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._guard = guard
        guard.start()
        # One that is interrupted before it is under guard would be left running.
        with open(log, "ab", opener=own_file) as stream, _undisturbed():
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=stream if output is None else output,
                    stderr=stream,
                    env=environ,
                    cwd=folder,
                    start_new_session=True,
                )
            except OSError as error:
                raise StackError(f"{name} cannot be started: {command[0]}: {error}") from error
            guard.watch(self.pid)

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes] | None:
        """The reading end of its stdout, if `output` was `subprocess.PIPE`."""
        return self._process.stdout

    def ended(self) -> int | None:
        """Its exit code (negative: the signal that killed it), or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> int | None:
        """Its exit code once it has ended, or None after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, timeout: float = STOP_TIMEOUT, *, kill: bool = False) -> int:
        """End it: SIGTERM and, after `timeout` seconds, SIGKILL; with `kill` SIGKILL at once.

        What it left in its process group is killed too.

        Returns:
            The exit code.
        """
        if self.ended() is None:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.wait(timeout)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._guard.forget(self.pid)
        return code

    def fate(self) -> str:
        """How it ended, for people: ``exit code 1`` or ``killed by SIGKILL``."""
        code = self.ended()
        if code is None:
            return "still running"
        return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def own_file(name: str, flags: int) -> int:
    """For `open`: a file for its owner alone; a link in its place may lead to anybody's file."""
    return os.open(name, flags | os.O_NOFOLLOW, 0o600)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back what Python does at Ctrl-C, SIGTERM and SIGHUP until the end of the block.

    The signals are not blocked, since a child would inherit that.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread is interrupted by signals.
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _ENDS}
    ours = [number for number, handler in handlers.items() if callable(handler)]
    try:
        for number in ours:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number in ours:
            signal.signal(number, handlers[number])
        for caught in came:
            signal.raise_signal(caught)


def log_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, under a line that names it; empty if there is nothing to show."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    tail = text.rstrip().splitlines()[-lines:]
    return "\n".join([f"--- the end of {path} ---", *tail]) if tail else ""


def started_at(pid: int) -> int | None:
    """When a process started, in clock ticks since boot, or None if it does not run.

    A pid and this name one process for good; a pid alone is used again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def wall_clock(started: int) -> float | None:
    """When that was (see `started_at`), seconds since 1970; None where the system does not say."""
    try:
        stat = Path("/proc/stat").read_text(encoding="ascii")
    except OSError:
        return None
    booted = next((line for line in stat.splitlines() if line.startswith("btime ")), None)
    return None if booted is None else int(booted.split()[1]) + started / os.sysconf("SC_CLK_TCK")


def await_end(pid: int, started: int, timeout: float) -> bool:
    """Whether a process, not necessarily ours, ends within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while started_at(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
