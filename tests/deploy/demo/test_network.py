"""The line that goes away, goes silent, and resets."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.demo.fleet.network import Proxy
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything again."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def say_again(link: socket.socket) -> None:
            with link, contextlib.suppress(ConnectionError):
                while data := link.recv(100):
                    link.sendall(data)

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=say_again, args=(link,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def connected(line: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), 5)


def said_through(line: Proxy) -> bytes:
    with connected(line) as link:
        try:
            link.sendall(b"hello")
            return link.recv(100)
        except ConnectionError:
            return b""


def test_what_is_sent_comes_back_while_it_is_there(echo: int) -> None:
    with Proxy(lambda: echo) as line:
        assert said_through(line) == b"hello"
        line.pull()
        assert said_through(line) == b""
        line.heal()
        assert said_through(line) == b"hello"


def test_pulling_it_ends_what_passes(echo: int) -> None:
    with (
        Proxy(lambda: echo) as line,
        socket.create_connection(("127.0.0.1", line.port), 5) as link,
    ):
        link.sendall(b"a")
        assert link.recv(100) == b"a"
        line.pull()
        assert link.recv(100) == b""


def test_an_end_that_goes_is_told_to_the_other(echo: int) -> None:
    with (
        Proxy(lambda: echo) as line,
        socket.create_connection(("127.0.0.1", line.port), 5) as link,
    ):
        link.sendall(b"a")
        assert link.recv(100) == b"a"
        link.shutdown(socket.SHUT_WR)
        assert link.recv(100) == b""


def test_nobody_behind_it_is_a_connection_that_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Proxy(lambda: port) as line:
        assert said_through(line) == b""


def test_a_line_that_is_cut_tells_neither_end(echo: int) -> None:
    with Proxy(lambda: echo) as line, connected(line) as link:
        link.sendall(b"a")
        assert link.recv(100) == b"a"
        line.cut()
        link.settimeout(0.2)
        link.sendall(b"b")
        with pytest.raises(TimeoutError):
            link.recv(100)
        assert said_through(line) == b"hello"


def test_a_silent_line_takes_new_connections_and_is_silent_until_it_is_healed(echo: int) -> None:
    with Proxy(lambda: echo) as line:
        line.silence()
        with connected(line) as link:
            link.settimeout(0.2)
            link.sendall(b"a")
            with pytest.raises(TimeoutError):
                link.recv(100)
        line.heal()
        assert said_through(line) == b"hello"


def test_a_reset_is_a_reset_at_both_ends(echo: int) -> None:
    with Proxy(lambda: echo) as line, connected(line) as link:
        link.sendall(b"a")
        assert link.recv(100) == b"a"
        line.reset()
        with pytest.raises(ConnectionResetError):
            link.recv(100)
        assert said_through(line) == b"hello"


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_connections_that_have_ended_take_no_files(echo: int) -> None:
    before = open_files()
    with Proxy(lambda: echo) as line:
        for _ in range(20):
            assert said_through(line) == b"hello"
        # The listener of the line is one.
        await_true(lambda: open_files() <= before + 1, "its files to be closed")
