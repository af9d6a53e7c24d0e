"""How soon a snapshot reaches many open pages, and what that costs the server."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

import click

from benchmarks.show import report, run_command
from benchmarks.usage import cpu, peak
from deploy.errors import ProgramFailedError
from deploy.local.ports import free_port
from isotherm.contract.event_time import format_event_time
from isotherm.contract.states import MEAN_TEMPERATURE, STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE_S: Final = 30.0
_EVERY_S: Final = 3.0
_CALL: Final = "import sys; from dashboard.cli import main; sys.exit(main())"


class Pages:
    """Open streams, read by one thread.

    Args:
        port: of the dashboard on loopback.
        count: how many.
    """

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", port), _PATIENCE_S)
            stream.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            stream.setblocking(False)
            self._selector.register(stream, selectors.EVENT_READ)
            self._sockets.append(stream)

    def await_all(self, mark: bytes, *, since: float) -> list[float]:
        """Read until `mark` has come over each.

        Args:
            mark: behind the end of what is waited for.
            since: `time.monotonic`.

        Returns:
            Of each the seconds that it took.

        Raises:
            ProgramFailedError: it does not come.
        """
        waiting = dict.fromkeys(self._sockets, b"")
        took = []
        while waiting:
            ready = self._selector.select(1.0)
            now = time.monotonic()
            for key, _ in ready:
                stream: Any = key.fileobj
                got = stream.recv(1 << 18)
                if stream in waiting:
                    waiting[stream] += got
                    if mark in waiting[stream]:
                        took.append(now - since)
                        del waiting[stream]
            if now - since > _PATIENCE_S:
                raise ProgramFailedError(f"{len(waiting)} of the pages got no snapshot", "")
        return took

    def close(self) -> None:
        """Let go."""
        self._selector.close()
        for stream in self._sockets:
            stream.close()


def snapshot(number: int) -> bytes:
    """A line with all states in both scopes; `mark` tells where it ends."""
    now = time.time_ns()
    analytics = {
        "average_temperature_by_state": [
            [state, MEAN_TEMPERATURE[state] + number / 7]
            for state in sorted(STATES, key=MEAN_TEMPERATURE.__getitem__, reverse=True)
        ],
        "total_messages": 31_204,
        "sensors_by_state": [[state, 980] for state in STATES],
        "total_sensors": 49_980,
    }
    found = {
        "schema": "isotherm.snapshot/1",
        "query_id": "7d1c4f3e-1a52-4c8f-9a0b-3f5f0f8b7a11",
        "batch_id": number,
        "window": {"start": format_event_time(now - 3 * 10**9), "end": format_event_time(now)},
        "idle": False,
        "scopes": {"window": analytics, "since_start": analytics},
        "lag": 0,
        "trigger_ms": number,
    }
    return json.dumps(found).encode() + b"\n"


def mark(number: int) -> bytes:
    """What stands at the end of that snapshot in the stream."""
    return b'"trigger_ms":%d}}\n\n' % number


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--pages", "count", type=click.IntRange(1, 384), default=100, show_default=True)
@click.option("--snapshots", type=click.IntRange(2, 1000), default=20, show_default=True)
def cli(count: int, snapshots: int) -> None:
    """Snapshots every 3 s to open pages: latency from the file, CPU, memory."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isotherm-bench-")))
        file = folder / "s.jsonl"
        file.write_bytes(snapshot(0))
        port = free_port()
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _CALL, "run", "--snapshots", str(file)),
                *("--listen", f"127.0.0.1:{port}"),
            ],
            stderr=subprocess.PIPE,
        )
        stack.enter_context(process)
        stack.callback(process.terminate)
        assert process.stderr is not None
        if b"serving" not in process.stderr.readline():
            raise ProgramFailedError("isotherm-dashboard did not start", "")
        pages = Pages(port, count)
        stack.callback(pages.close)
        pages.await_all(mark(0), since=time.monotonic())
        took: list[float] = []
        began, before = time.monotonic(), cpu(process.pid)
        for number in range(1, snapshots + 1):
            report(f"snapshot {number} of {snapshots}")
            with file.open("ab") as out:
                out.write(snapshot(number))
            took += pages.await_all(mark(number), since=time.monotonic())
            time.sleep(max(0.0, began + number * _EVERY_S - time.monotonic()))
        spent = cpu(process.pid) - before
        share = 100 * spent / (time.monotonic() - began)
        print(f"{count} pages, a snapshot of {len(snapshot(1))} bytes every {_EVERY_S:g} s")
        print(f"    from the file to a page, ms: {_milliseconds(took)}")
        print(f"    CPU: {share:.1f} % of one core; peak memory: {peak(process.pid):.0f} MB")


def _milliseconds(took: Sequence[float]) -> str:
    p99 = quantiles(took, n=100)[98]
    return f"median {median(took) * 1000:.0f}, p99 {p99 * 1000:.0f}, most {max(took) * 1000:.0f}"


if __name__ == "__main__":
    run_command(cli, "page")
