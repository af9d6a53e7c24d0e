"""`python -m deploy.local` as people use it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from deploy.local.process import await_end
from deploy.local.stack import state_path
from deploy.local.state import StackRecord, read_state

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "deploy.local"]


class Up:
    """One `up`, from which the addresses are read."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--data", str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    @property
    def stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def wait(self) -> StackRecord:
        """What runs, once it is up."""
        assert any(line.startswith("up;") for line in self.stdout)
        record = read_state(state_path(self.data))
        assert record is not None
        return record

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.stdout.close()


@pytest.fixture
def ups() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(ups: ExitStack, data: Path) -> Up:
    up = Up(data)
    ups.callback(up.close)
    return up


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def all_gone(record: StackRecord) -> bool:
    return all(
        await_end(service.process.pid, service.process.started, 15)
        for service in record.services.values()
    )


def test_up_status_down(tmp_path: Path, ups: ExitStack) -> None:
    up = start(ups, tmp_path)
    record = up.wait()
    assert set(record.services) == {"mosquitto", "kafka"}

    status = run("status", "--data", str(tmp_path))
    assert status.returncode == 0
    assert len(re.findall(r"\bup\b", status.stdout)) == 2

    again = run("up", "--data", str(tmp_path))
    assert again.returncode == 1
    assert f"started by process {up.process.pid}" in again.stderr

    assert run("down", "--data", str(tmp_path)).returncode == 0
    assert up.process.wait(30) == 0
    assert all_gone(record)

    status = run("status", "--data", str(tmp_path))
    assert (status.returncode, status.stdout) == (3, f"nothing runs in {tmp_path}\n")
    assert run("down", "--data", str(tmp_path)).returncode == 0


def test_killed_up_leaves_nothing_and_its_folder_can_be_used_again(
    tmp_path: Path, ups: ExitStack
) -> None:
    up = start(ups, tmp_path)
    record = up.wait()
    up.process.kill()
    up.process.wait()
    status = run("status", "--data", str(tmp_path))
    assert status.returncode == 3
    # At once, while the guard may still be ending the former one's services.
    second = start(ups, tmp_path)
    second.wait()
    assert all_gone(record)
    assert run("status", "--data", str(tmp_path)).returncode == 0
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(30) == 0


def test_two_at_once(tmp_path: Path, ups: ExitStack) -> None:
    both = [start(ups, tmp_path / name) for name in ("a", "b")]
    records = [up.wait() for up in both]
    ports = [service.port for record in records for service in record.services.values()]
    assert len(set(ports)) == 4
    for up in both:
        assert run("status", "--data", str(up.data)).returncode == 0
        up.process.terminate()
        assert up.process.wait(30) == 0
    assert all(all_gone(record) for record in records)


def test_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("up", "--data", str(tmp_path), "--kafka-port", str(port))
    assert done.returncode == 3
    assert f"port {port} for kafka is taken" in done.stderr
    assert "Traceback" not in done.stderr
    assert not state_path(tmp_path).exists()


def test_failed_start_shows_the_log_and_leaves_nothing(tmp_path: Path) -> None:
    damaged = tmp_path / "kafka" / "logs" / "meta.properties"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("version=1\nnode.id=99\ncluster.id=other\n")
    done = run("up", "--data", str(tmp_path))
    assert done.returncode == 3
    assert "kafka did not start" in done.stderr
    assert "--- the end of" in done.stderr
    assert "Traceback (most" not in done.stderr
    assert not state_path(tmp_path).exists()
    log = (tmp_path / "mosquitto.log").read_text()
    assert "mosquitto version" in log
    assert str(tmp_path) not in running_commands()


def running_commands() -> str:
    texts = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(texts)


def test_a_missing_package_is_named_with_the_command_that_mends_it() -> None:
    code = (
        "import sys, runpy; sys.modules['click'] = None;"
        "runpy.run_module('deploy.local', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 3
    assert ended.stderr == "deploy.local needs click: pip install 'isotherm[all]'\n"
