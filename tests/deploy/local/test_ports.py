from __future__ import annotations

import os
import socket

from deploy.local.ports import LOOPBACK, free_port, is_free, listens


def listening(port: int = 0) -> socket.socket:
    return socket.create_server((LOOPBACK, port))


def test_usual_port_is_taken_when_free() -> None:
    port = free_port()
    assert free_port(port) == port


def test_another_port_is_found_when_the_usual_one_is_taken() -> None:
    with listening() as other:
        usual = other.getsockname()[1]
        assert not is_free(usual)
        assert free_port(usual) != usual


def test_a_port_on_all_addresses_is_taken_too() -> None:
    with socket.create_server(("", 0)) as other:
        assert not is_free(other.getsockname()[1])


def test_excluded_port_is_not_chosen() -> None:
    port = free_port()
    assert free_port(port, frozenset({port})) != port


def test_random_ports_lie_below_those_of_outgoing_connections() -> None:
    with listening() as server, socket.create_connection(server.getsockname()) as client:
        outgoing = client.getsockname()[1]
    assert all(free_port() < outgoing for _ in range(20))


def test_who_listens_is_told_apart() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
        with socket.create_connection((LOOPBACK, port)) as client:
            # Ours, but it does not listen.
            assert not listens(os.getpid(), client.getsockname()[1])
    assert not listens(os.getpid(), port)
