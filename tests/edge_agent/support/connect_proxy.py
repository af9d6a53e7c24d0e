"""A proxy that knows HTTP's CONNECT alone (RFC 9110, section 9.3.6), for clients behind it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from deploy.local.ports import LOOPBACK


class ConnectProxy:
    """A context; connects to whatever its clients name.

    Attributes:
        asked: where they wanted to, ``HOST:PORT`` each.
        refuses: it lets nobody through.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses = False
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            method, target, _ = request.split(b"\r\n")[0].decode().split(" ")
            assert method == "CONNECT"
            self.asked.append(target)
            if self.refuses:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as broker:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                threading.Thread(target=_pass, args=(broker, client), daemon=True).start()
                _pass(client, broker)


def _pass(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
