"""The cable that can be pulled."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from deploy.demo.fleet.network import Cable

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything again."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link:
                    while data := link.recv(100):
                        link.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def said_through(cable: Cable) -> bytes:
    with socket.create_connection(("127.0.0.1", cable.port), 5) as link:
        try:
            link.sendall(b"hello")
            return link.recv(100)
        except ConnectionError:
            return b""


def test_what_is_sent_comes_back_while_it_is_plugged(echo: int) -> None:
    with Cable(echo) as cable:
        assert said_through(cable) == b"hello"
        cable.pull()
        assert said_through(cable) == b""
        cable.plug()
        assert said_through(cable) == b"hello"


def test_pulling_it_ends_what_passes(echo: int) -> None:
    with Cable(echo) as cable, socket.create_connection(("127.0.0.1", cable.port), 5) as link:
        link.sendall(b"a")
        assert link.recv(100) == b"a"
        cable.pull()
        assert link.recv(100) == b""


def test_an_end_that_goes_is_told_to_the_other(echo: int) -> None:
    with Cable(echo) as cable, socket.create_connection(("127.0.0.1", cable.port), 5) as link:
        link.sendall(b"a")
        assert link.recv(100) == b"a"
        link.shutdown(socket.SHUT_WR)
        assert link.recv(100) == b""


def test_nobody_behind_it_is_a_connection_that_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Cable(port) as cable:
        assert said_through(cable) == b""
