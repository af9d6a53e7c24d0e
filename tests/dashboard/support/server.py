"""The real `isotherm-dashboard` over a file of snapshots, to be stopped and started by tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local.ports import free_port
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator


class Dashboard:
    """A process of the dashboard; it keeps its address over restarts."""

    def __init__(self, snapshots: Path, *arguments: str) -> None:
        self.snapshots = snapshots
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}/"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        await_true(self._answers, f"the dashboard on {self.address}", timeout=30.0)

    def launch(self) -> None:
        """Start it."""
        program = Path(sys.executable).with_name("isotherm-dashboard")
        self._process = subprocess.Popen(
            [
                program,
                "run",
                "--snapshots",
                self.snapshots,
                "--listen",
                self.address,
                *self._arguments,
            ]
        )

    def stop(self) -> None:
        """End it as a service manager does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the dashboard ended by itself"
        try:
            with urlopen(self.url + "healthz", timeout=5):  # noqa: S310 our own
                return True
        except URLError:
            return False


@contextmanager
def dashboard(snapshots: Path, *arguments: str) -> Iterator[Dashboard]:
    """A dashboard that runs, and has ended at the end."""
    one = Dashboard(snapshots, *arguments)
    one.start()
    try:
        yield one
    finally:
        one.stop()
