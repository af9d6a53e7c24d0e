"""A broker that lets an agent in, acknowledges what it publishes, and misbehaves meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final, Self

from isotherm.mqtt.length import decode_length, encode_length

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT: Final = 0x10
PUBLISH: Final = 0x30
SUBSCRIBE: Final = 0x80
UNSUBSCRIBE: Final = 0xA0
PINGREQ: Final = 0xC0
CONNACK: Final = b"\x20\x03\0\0\0"
_ANSWERS: Final = {
    CONNECT: CONNACK,
    UNSUBSCRIBE: b"\xb0\x04\xff\xff\0\0",
    PINGREQ: b"\xd0\0",
}
_SUBACK: Final = b"\x90\x04\xff\xff\0\0"
_OLD_ANSWERS: Final = {
    CONNECT: b"\x20\x02\0\0",
    UNSUBSCRIBE: b"\xb0\x02\xff\xff",
    PINGREQ: b"\xd0\0",
}
_OLD_SUBACK: Final = b"\x90\x03\xff\xff\0"
_CONNECT_3: Final = b"\0\x04MQTT\x04"


def retained(topic: str, payload: bytes) -> bytes:
    """A retained PUBLISH at QoS 0."""
    name = topic.encode()
    body = len(name).to_bytes(2) + name + b"\0" + payload
    return b"\x31" + encode_length(len(body)) + body


def packet_size(data: bytes) -> int | None:
    """Bytes of the whole packet at the head; None while that cannot be known."""
    found = decode_length(data, 1)
    return None if found is None else sum(found)


class HostileBroker:
    """A context; one thread for each connection.

    Args:
        on_subscribe: what to send before the SUBACK.
        flood: what to send again and again from a moment on.
        at: that moment: "greeting", before the SUBACK, or "up", after the first PUBLISH.
        once: what to send once, after the first PUBLISH.
        old: it speaks MQTT 3.1.1 alone, and ends without a word where it is spoken to in 5.
    """

    def __init__(
        self,
        *,
        on_subscribe: bytes = b"",
        flood: bytes = b"",
        at: str = "up",
        once: bytes = b"",
        old: bool = False,
    ) -> None:
        self._on_subscribe = on_subscribe
        self._flood = flood
        self._at = at
        self._once = once
        self._old = old
        self.payloads: list[bytes] = []
        """Of what was published with a packet identifier, as it came."""
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        lock = threading.Lock()

        def send(data: bytes) -> None:
            with lock:
                peer.sendall(data)

        with contextlib.suppress(OSError), peer:
            self._talk(peer, send)

    def _talk(self, peer: socket.socket, send: Callable[[bytes], None]) -> None:
        rest, first = b"", True
        while data := peer.recv(65_536):
            rest += data
            while (size := packet_size(rest)) and len(rest) >= size:
                packet, rest = rest[:size], rest[size:]
                kind = packet[0] & 0xF0
                if kind == CONNECT and self._old and _CONNECT_3 not in packet[:12]:
                    return
                send((_OLD_ANSWERS if self._old else _ANSWERS).get(kind, b""))
                if kind == SUBSCRIBE:
                    send(self._on_subscribe)
                    if self._flood and self._at == "greeting":
                        self._begin(send)
                    send(_OLD_SUBACK if self._old else _SUBACK)
                elif kind == PUBLISH:
                    self._take(packet, send)
                    if first:
                        first = False
                        send(self._once)
                        if self._flood and self._at == "up":
                            self._begin(send)

    def _take(self, packet: bytes, send: Callable[[bytes], None]) -> None:
        length = decode_length(packet, 1)
        assert length is not None
        body = packet[length[1] :]
        end = 2 + int.from_bytes(body[:2])
        send(b"\x40\x02" + body[end : end + 2])
        if b"/readings/" in body[2:end]:
            self.payloads.append(body[end + (2 if self._old else 3) :])

    def _begin(self, send: Callable[[bytes], None]) -> None:
        def run() -> None:
            with contextlib.suppress(OSError):
                while not self._over.is_set():
                    send(self._flood)

        threading.Thread(target=run, daemon=True).start()
