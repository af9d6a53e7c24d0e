"""A TCP proxy that misbehaves as networks do: it goes away, silent, resets, is slow or narrow.

For the demo's board, and for the tests of faults.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

from deploy.local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

_READ_BYTES = 65_536
_NARROW_BYTES = 4_096
# SO_LINGER with 0 s: close() sends RST.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections of a loopback port to another.

    Args:
        target: where to connect to; asked at each connection.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, free_port()))
        # Connections inherit it. What a narrow line has not carried yet waits with its sender.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _READ_BYTES)
        self.port: int = self._listener.getsockname()[1]
        self.delay = 0.0
        """Seconds that each piece waits that the client sends."""
        self.rate = 0.0
        """Bytes a second that all clients together may send; 0 for as many as they like."""
        self._line = threading.Lock()
        self._plugged = True
        self._silent = False
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Without shutdown() an accept() that waits keeps the port.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.reset()

    def pull(self) -> None:
        """End all connections as their other ends would, and each new one at once."""
        with self._lock:
            self._plugged = False
            links, self._links = self._links, []
        for link in links:
            link.end()

    def cut(self) -> None:
        """Nothing passes over today's connections any more, and neither end hears of it."""
        with self._lock:
            for link in self._links:
                link.silent.set()

    def silence(self) -> None:
        """As `cut`, and new connections are accepted and then as silent."""
        self._silent = True
        self.cut()

    def heal(self) -> None:
        """Let new connections through; the old ones stay as they are."""
        self._plugged, self._silent = True, False

    def reset(self) -> None:
        """End all connections by RST, those that were cut among them."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.reset()

    def carry(self, size: int, over: threading.Event) -> None:
        """Wait while the line carries this many bytes, one piece after another."""
        with self._line:
            if self.rate:
                over.wait(size / self.rate)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((LOOPBACK, self._target()), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = _Link(client, server)
            if self._silent:
                link.silent.set()
            with self._lock:
                plugged = self._plugged
                if plugged:
                    self._links.append(link)
            if plugged:
                link.start(self)
            else:
                link.close()

    def forget(self, link: _Link) -> None:
        """A connection has ended by itself."""
        with self._lock:
            if link in self._links:
                self._links.remove(link)


class _Link:
    """One connection, as two sockets."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self.silent = threading.Event()
        self._over = threading.Event()
        self._directions = [client, server]

    def start(self, proxy: Proxy) -> None:
        for end in (self._client, self._server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._run, args=(end, proxy), daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            end.close()

    def end(self) -> None:
        """End both sides; the threads then close them."""
        self._over.set()
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        self._over.set()
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # Wakes the thread that reads from it; close() alone does not.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RD)
            end.close()

    def _run(self, there: socket.socket, proxy: Proxy) -> None:
        if there is self._client:
            self._pass_on(there, self._server, proxy)
        else:
            self._pass_on(there, self._client, None)
        # list.remove() is atomic: whoever is last sees that.
        self._directions.remove(there)
        if not self._directions:
            proxy.forget(self)
            self.close()

    def _pass_on(self, there: socket.socket, back: socket.socket, line: Proxy | None) -> None:
        with contextlib.suppress(OSError):
            while data := there.recv(_NARROW_BYTES if line and line.rate else _READ_BYTES):
                if line is not None:
                    line.carry(len(data), self._over)
                    if line.delay and self._over.wait(line.delay):
                        return
                if self.silent.is_set():
                    self._over.wait()
                    return
                back.sendall(data)
        if not (self.silent.is_set() or self._over.is_set()):
            # An end as the other side made it.
            with contextlib.suppress(OSError):
                back.shutdown(socket.SHUT_WR)
