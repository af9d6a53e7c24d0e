import math
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.reporting.systemd import STATUS_GAP, SystemdNotifier


@pytest.fixture(params=("path", "abstract"))
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """NOTIFY_SOCKET as systemd sets it, and the socket behind it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        if request.param == "path":
            name = str(tmp_path / "notify")
            sock.bind(name)
        else:
            name = f"@isotherm-test-{uuid.uuid4().hex}"
            sock.bind("\0" + name[1:])
        yield name, sock


def _heard(sock: socket.socket) -> list[str]:
    lines = []
    while True:
        try:
            lines += sock.recv(4096).decode().split("\n")
        except BlockingIOError:
            return lines


def test_ready_comes_with_the_first_turn_and_the_watchdog_is_fed_in_time(
    listener: tuple[str, socket.socket],
) -> None:
    name, sock = listener
    supervisor = SystemdNotifier(
        lambda: "all well", {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000"}
    )
    assert _heard(sock) == []
    assert supervisor.turn(100.0) == 10.0
    assert _heard(sock) == ["READY=1", "WATCHDOG=1", "STATUS=all well"]
    assert supervisor.turn(109.0) == 1.0
    assert _heard(sock) == []
    supervisor.turn(110.0)
    assert _heard(sock) == ["WATCHDOG=1"]


def test_a_status_is_told_when_it_changes_but_not_too_often(
    listener: tuple[str, socket.socket],
) -> None:
    name, sock = listener
    status = "one"
    supervisor = SystemdNotifier(lambda: status, {"NOTIFY_SOCKET": name})
    supervisor.turn(0.0)
    status = "two"
    supervisor.turn(STATUS_GAP - 0.1)
    assert _heard(sock) == ["READY=1", "STATUS=one"]
    supervisor.turn(STATUS_GAP)
    supervisor.turn(2 * STATUS_GAP)
    assert _heard(sock) == ["STATUS=two"]


def test_a_reload_ends_with_ready_and_a_stop_is_told(
    listener: tuple[str, socket.socket],
) -> None:
    name, sock = listener
    supervisor = SystemdNotifier(lambda: "s", {"NOTIFY_SOCKET": name})
    supervisor.turn(0.0)
    _heard(sock)
    supervisor.reloading(1.5)
    supervisor.turn(1.6)
    assert _heard(sock) == ["RELOADING=1", "MONOTONIC_USEC=1500000", "READY=1"]
    supervisor.stopping()
    assert _heard(sock) == ["STOPPING=1", "STATUS=stopping"]


@pytest.mark.parametrize("name", ("", "vsock:2:1234", "relative"))
def test_without_a_socket_that_we_can_reach_nothing_is_told(name: str) -> None:
    supervisor = SystemdNotifier(lambda: "s", {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})
    assert supervisor.turn(0.0) == math.inf
    supervisor.reloading(0.0)
    supervisor.stopping()


def test_a_watchdog_for_another_process_is_not_fed(tmp_path: Path) -> None:
    other = {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid() + 1)}
    supervisor = SystemdNotifier(lambda: "s", {"NOTIFY_SOCKET": str(tmp_path / "n"), **other})
    assert supervisor.turn(0.0) == math.inf


def test_a_supervisor_that_does_not_listen_costs_nothing(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "1000000"}
    supervisor = SystemdNotifier(lambda: "s", environ)
    supervisor.turn(0.0)
    supervisor.stopping()
