"""An MQTT broker that does what a test says, byte by byte."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class ScriptedBroker:
    """Listens on a free loopback port; the test plays the broker's part.

    Args:
        patience: seconds to wait for a connection, and for bytes.
    """

    def __init__(self, patience: float = 10) -> None:
        self._patience = patience
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(patience)
        self._peers: list[Peer] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """End all connections, and take no more."""
        self._listener.close()
        for peer in self._peers:
            peer.close()

    def accept(self) -> Peer:
        connection, _ = self._listener.accept()
        self._peers.append(Peer(connection, self._patience))
        return self._peers[-1]


class Peer:
    """One accepted connection."""

    def __init__(self, connection: socket.socket, patience: float) -> None:
        connection.settimeout(patience)
        self._socket = connection
        self._rest = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def packet(self) -> bytes:
        """The next packet (all of ours are shorter than 128 bytes), or b"" at the end."""
        while len(self._rest) < 2 or len(self._rest) < 2 + self._rest[1]:
            data = self._socket.recv(4096)
            if not data:
                return b""
            self._rest += data
        size = 2 + self._rest[1]
        packet, self._rest = self._rest[:size], self._rest[size:]
        return packet

    def close(self) -> None:
        self._socket.close()
