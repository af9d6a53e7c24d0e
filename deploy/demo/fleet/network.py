"""A network cable that can be pulled: TCP from a port of its own to another one on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final, Self

from deploy.local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable

_READ_BYTES: Final = 65_536
_CONNECT_S: Final = 5.0


class Cable:
    """Forwards connections while the context lasts and the cable is plugged in.

    Args:
        target: the port where connections go.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, free_port()))
        self.port: int = self._listener.getsockname()[1]
        self.plugged = True
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name="cable", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pull()
        # Without shutdown() an accept() that waits keeps the port.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def pull(self) -> None:
        """End what passes, and let nothing through."""
        with self._lock:
            self.plugged = False
            ends, self._ends = self._ends, set()
        _shut(ends)

    def plug(self) -> None:
        """Let new connections through."""
        with self._lock:
            self.plugged = True

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((LOOPBACK, self._target), _CONNECT_S)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                plugged = self.plugged
                if plugged:
                    self._ends |= {near, far}
            if not plugged:
                near.close()
                far.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_READ_BYTES):
                sink.sendall(data)
        with self._lock:
            self._ends -= {source, sink}
        # The other direction ends by it, and closes what this one has left.
        _shut((source, sink))
        source.close()


def _shut(ends: Iterable[socket.socket]) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
