"""A TCP proxy in front of a broker, whose line a test can cut without anybody being told."""

from __future__ import annotations

import select
import socket
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType


class Proxy:
    """A context in which `url` leads to the broker at another url."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.port
        self._broker = ("127.0.0.1", address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{address.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._dead: list[tuple[socket.socket, socket.socket]] = []
        self._silent = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._over = True
        self._thread.join()
        for pair in self._pairs + self._dead:
            for sock in pair:
                sock.close()
        self._listener.close()

    def silence(self) -> None:
        """Let nothing through any more, over old connections and new ones; nobody hears an end."""
        self._silent.set()

    def heal(self) -> None:
        """Let new connections through; the old ones stay as they are."""
        self._dead += self._pairs
        self._pairs = []
        self._silent.clear()

    def _run(self) -> None:
        ended: set[socket.socket] = set()
        while not self._over:
            ends = [] if self._silent.is_set() else [e for pair in self._pairs for e in pair]
            ready, _, _ = select.select(
                [self._listener, *(e for e in ends if e not in ended)], [], [], 0.05
            )
            for sock in ready:
                if sock is self._listener:
                    client, _ = self._listener.accept()
                    self._pairs.append((client, socket.create_connection(self._broker)))
                    continue
                pair = next(pair for pair in self._pairs if sock in pair)
                other = pair[pair[0] is sock]
                if data := sock.recv(65_536):
                    other.sendall(data)
                else:
                    ended.add(sock)
                    other.shutdown(socket.SHUT_WR)
