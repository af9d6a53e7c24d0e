"""Whatever fails beside it, the agent keeps measuring."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import await_true, program

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

FAULTS = "isotherm_agent_probe_faults_total"
PROBE = '[[probe]]\nguid = "{}"\ndriver = "{}"\ninterval = "100ms"\n{}\n'


def _config(folder: Path, *probes: str, agent: str = "") -> str:
    file = folder / "agent.toml"
    # Nobody listens at port 1: all of this holds without a broker.
    head = '[device]\nid = "d"\nstate = "CA"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    file.write_text(head + (f"[agent]\n{agent}\n" if agent else "") + "\n".join(probes))
    return str(file)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def _value(port: int, metric: str) -> float:
    (found,) = (line for line in _metrics(port).splitlines() if line.startswith(metric + " "))
    return float(found.rpartition(" ")[2])


def test_an_address_that_is_not_there_yet_keeps_it_from_nothing(tmp_path: Path) -> None:
    # 192.0.2.0/24 is for documentation: no machine has it (RFC 5737).
    config = _config(
        tmp_path, PROBE.format("g", "simulated", ""), agent='metrics = "192.0.2.1:9465"'
    )
    with program("edge_agent", "run", "--config", config) as agent:
        agent.await_line("metrics cannot listen")
        agent.await_line("started")
        outbox = tmp_path / "outbox.db"
        ask = [sys.executable, "-m", "edge_agent", "outbox", "export", "--config", config]

        def waiting() -> int:
            done = subprocess.run(ask, capture_output=True, check=False)
            return done.stdout.count(b'"guid": "g"') or done.stdout.count(b'"guid":"g"')

        await_true(lambda: outbox.exists() and waiting() > 5, "readings in the outbox")
        assert agent.end() == 0


def test_an_address_that_another_program_has_is_taken_once_it_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = _config(
            tmp_path, PROBE.format("g", "simulated", ""), agent=f'metrics = "127.0.0.1:{port}"'
        )
        stack = contextlib.ExitStack()
        agent = stack.enter_context(program("edge_agent", "run", "--config", config))
        agent.await_line("metrics cannot listen")
    with stack:
        agent.await_line("agent metrics url=")
        await_true(
            lambda: _value(port, 'isotherm_agent_probe_readings_total{probe="g"}') > 0, "a reading"
        )
        assert agent.end() == 0


def test_a_probe_that_cannot_be_opened_or_changes_for_the_worse_stops_no_other(
    tmp_path: Path,
) -> None:
    port = _free_port()
    good = PROBE.format("good", "simulated", "")
    # No such package on this machine, or no such chip: one sentence, and the others are read.
    bad = PROBE.format("bad", "mcp3008", 'sensor = "lm35"')
    listen = f'metrics = "127.0.0.1:{port}"'
    config = _config(tmp_path, bad, good, agent=listen)
    readings = 'isotherm_agent_probe_readings_total{probe="good"}'
    with program("edge_agent", "run", "--config", config) as agent:
        agent.await_line("probe has a fault guid=bad")
        await_true(lambda: _value(port, readings) > 0, "the other probe's readings")
        assert _value(port, 'isotherm_agent_probe_up{probe="bad"}') == 0
        wrong = ("[" * 50_000, 'probe = "\udcff"', good.replace("simulated", "no-such"), "\0")
        for text in wrong:
            Path(config).write_bytes(text.encode("utf-8", "surrogateescape"))
            agent.process.send_signal(signal.SIGHUP)
            agent.await_line("the new configuration is refused")
        before = _value(port, readings)
        await_true(lambda: _value(port, readings) > before, "readings after all of that")
        _config(tmp_path, good, agent=listen)
        agent.process.send_signal(signal.SIGHUP)
        agent.await_line("configuration read again")
        assert agent.end() == 0


@contextlib.contextmanager
def _slow_clients(port: int, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(OSError):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 2))
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
        yield


def test_slow_clients_take_no_descriptor_that_a_probe_needs(tmp_path: Path) -> None:
    port = _free_port()
    file = tmp_path / "number"
    file.write_text("21.5\n")
    probes = [PROBE.format(f"p{n}", "file", f'path = "{file}"\nmax_age = false') for n in range(8)]
    config = _config(tmp_path, *probes, agent=f'metrics = "127.0.0.1:{port}"')
    # 32 connections of the port, and what ten probes, outbox and threads need.
    limit = f"ulimit -n 96; exec {sys.executable} -m edge_agent run --config {config}"
    with subprocess.Popen(["sh", "-c", limit], stderr=subprocess.PIPE, text=True) as process:
        try:
            await_true(lambda: _listens(port), "the port")
            with _slow_clients(port, 300):
                read = 'isotherm_agent_probe_readings_total{probe="p7"}'
                before = _value(port, read)
                await_true(lambda: _value(port, read) > before + 5, "readings meanwhile")
                text = _metrics(port)
            faults = [
                line for line in text.splitlines() if line.startswith("isotherm_agent_probe_f")
            ]
            assert not [line for line in faults if not line.endswith(" 0")]
        finally:
            process.terminate()
            _, told = process.communicate(timeout=20)
    assert "has a fault" not in told
    assert process.returncode == 0


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
