"""A publisher that costs next to nothing: packets are made beforehand and go out many at once."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from deploy.errors import StackError
from isotherm.mqtt.length import encode_length

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC: Final = b"isotherm/v1/readings/17/bench"
_CHUNK: Final = 250
_MIDS: Final = 60_000
_PUBACK_BYTES: Final = 4
_CONNECT: Final = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench"
_CONNACK: Final = b"\x20\x02\x00\x00"


def chunks(payloads: Iterable[bytes]) -> list[bytes]:
    """The PUBLISH packets (QoS 1) of payloads, `_CHUNK` in each element but the last."""
    made: list[bytes] = []
    packets: list[bytes] = []
    for number, payload in enumerate(payloads):
        packets.append(_publish(number % _MIDS + 1, payload))
        if len(packets) == _CHUNK:
            made.append(b"".join(packets))
            packets = []
    if packets:
        made.append(b"".join(packets))
    return made


def publish(port: int, packets: list[bytes], count: int, window: int = 4_000) -> None:
    """Send `chunks` to the broker on loopback; returns once it has acknowledged all.

    Args:
        port: the broker's.
        packets: see `chunks`.
        count: how many packets they are.
        window: packets that are not acknowledged; the broker holds back its own subscribers' share.

    Raises:
        StackError: the broker refuses or hangs up.
    """
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(_CONNECT)
        if link.recv(4, socket.MSG_WAITALL) != _CONNACK:
            raise StackError("the MQTT broker refuses the benchmark's publisher")
        sent = heard = 0
        for chunk in packets:
            while sent - heard > (window - _CHUNK) * _PUBACK_BYTES:
                heard += _hear(link)
            link.sendall(chunk)
            sent += _CHUNK * _PUBACK_BYTES
        while heard < count * _PUBACK_BYTES:
            heard += _hear(link)
        link.sendall(b"\xe0\x00")


def _hear(link: socket.socket) -> int:
    heard = len(link.recv(65_536))
    if not heard:
        raise StackError("the MQTT broker hung up on the benchmark's publisher")
    return heard


def _publish(mid: int, payload: bytes) -> bytes:
    body = len(TOPIC).to_bytes(2, "big") + TOPIC + mid.to_bytes(2, "big") + payload
    return b"\x32" + encode_length(len(body)) + body
