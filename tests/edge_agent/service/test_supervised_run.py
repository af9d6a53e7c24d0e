"""The agent under a supervisor that the test plays: systemd's socket, /healthz, signals."""

from __future__ import annotations

import signal
import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.support import await_true, program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def _config(folder: Path, metrics: str = "") -> str:
    file = folder / "agent.toml"
    # Nobody listens at port 1: all of this holds without a broker.
    file.write_text(
        '[device]\nid = "d"\nstate = "CA"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
        f'{metrics}[[probe]]\nguid = "g"\ndriver = "simulated"\ninterval = "100ms"\n'
    )
    return str(file)


def test_systemd_hears_ready_then_life_and_at_the_end_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")

        def count(word: str) -> int:
            try:
                while True:
                    heard.extend(sock.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return heard.count(word)

        with program("edge_agent", "run", "--config", _config(tmp_path)) as agent:
            await_true(lambda: count("WATCHDOG=1") >= 3, "the watchdog to be fed")
            assert heard[0] == "READY=1"
            assert any(line.startswith("STATUS=no broker") for line in heard)
            agent.process.send_signal(signal.SIGHUP)
            agent.await_line("configuration read again")
            await_true(lambda: count("READY=1") == 2, "READY after the reload")
            assert heard.index("RELOADING=1") < len(heard) - 1 - heard[::-1].index("READY=1")
            assert agent.end() == 0
        assert count("STOPPING=1") == 1


def test_sigterm_ends_it_in_three_seconds_without_a_broker(tmp_path: Path) -> None:
    with program("edge_agent", "run", "--config", _config(tmp_path)) as agent:
        agent.await_line("no broker")
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(3) == 0


def test_health_and_metrics_are_answered_while_the_main_loop_turns(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = _config(tmp_path, f'[agent]\nmetrics = "127.0.0.1:{port}"\n')

    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    with program("edge_agent", "run", "--config", config) as agent:
        agent.await_line("started")
        assert get("/healthz") == (200, "ok\n")
        assert "isotherm_agent_mqtt_up 0\n" in get("/metrics")[1]
        silent = 'isotherm_agent_probe_readings_total{probe="g"} 0\n'
        await_true(lambda: silent not in get("/metrics")[1], "the probe's readings")
        assert get("/")[0] == 404
        assert agent.end() == 0
