"""What stands between the link and its broker: WebSockets and proxies, played byte by byte."""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import socket
from dataclasses import replace

import pytest

from edge_agent.mqtt.client import MqttLink
from edge_agent.mqtt.events import Down, Up
from tests.edge_agent.mqtt.test_client import CONNACK, event, meanwhile, target


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        assert more
        data += more
    return data


def _frame_of_a_client(peer: socket.socket) -> tuple[int, bytes]:
    """Opcode and payload; a server ends the connection at one without a mask."""
    first, length = _exactly(peer, 2)
    assert length & 0x80
    key = _exactly(peer, 4)
    data = _exactly(peer, length & 0x7F)
    return first & 0x0F, bytes(byte ^ key[at % 4] for at, byte in enumerate(data))


@pytest.mark.parametrize("payload", (b"", b"are you there?"))
def test_the_answer_to_a_ping_of_websockets_is_masked_as_all_else(payload: bytes) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        contextlib.closing(MqttLink(target("ws", server.getsockname()[1]))) as link,
    ):
        link.open()
        peer, _ = server.accept()
        with peer:
            peer.settimeout(10)
            _let_in_over_websockets(peer)
            assert meanwhile(link, lambda: _frame_of_a_client(peer))[0] == 2
            peer.sendall(b"\x82" + bytes((len(CONNACK),)) + CONNACK)
            assert isinstance(event(link), Up)
            peer.sendall(b"\x89" + bytes((len(payload),)) + payload)
            assert meanwhile(link, lambda: _frame_of_a_client(peer)) == (10, payload)


def _let_in_over_websockets(peer: socket.socket) -> None:
    """Its answer to the request (RFC 6455, section 4.2.2)."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += peer.recv(4096)
    (key,) = (
        line.split(b": ")[1]
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key: ")
    )
    accept = base64.b64encode(
        hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
    )
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    (
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407: Proxy Authentication"),
        (b"HTTP/1.1 xx yy\r\n\r\n", "HTTP"),
        (b"\0\xff" * 100, "decode"),
        (b"", "closed"),
    ),
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_proxy_that_is_the_cause_is_named(answer: bytes, words: str) -> None:
    socks = pytest.importorskip("socks")
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = {
            "proxy_type": socks.HTTP,
            "proxy_addr": "127.0.0.1",
            "proxy_port": server.getsockname()[1],
        }
        with contextlib.closing(MqttLink(replace(target("mqtt", 1), proxy=proxy))) as link:
            link.open()
            peer, _ = server.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)
            down = event(link)
    # PySocks leaves its socket open, which shall not be found in another test.
    gc.collect()
    assert isinstance(down, Down)
    assert down.reason.startswith("the proxy does not let us through: ")
    assert words in down.reason
    assert "\n" not in down.reason
