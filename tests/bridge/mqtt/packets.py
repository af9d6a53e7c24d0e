"""MQTT packets as bytes, written out plainly: the other half of what the framer reads."""

from __future__ import annotations

from isotherm.mqtt.length import encode_length

CONNACK_NEW = b"\x20\x03\x00\x00\x00"
CONNACK_RESUMED = b"\x20\x03\x01\x00\x00"
PINGRESP = b"\xd0\x00"


def publish(
    topic: bytes,
    payload: bytes,
    mid: int = 0,
    *,
    duplicate: bool = False,
    retained: bool = False,
    properties: bytes | None = b"",
) -> bytes:
    """A PUBLISH at QoS 1, or 0 without a packet identifier; `properties` None is MQTT 3.1.1."""
    body = len(topic).to_bytes(2, "big") + topic
    if mid:
        body += mid.to_bytes(2, "big")
    if properties is not None:
        body += encode_length(len(properties)) + properties
    body += payload
    first = 0x30 | (0x08 if duplicate else 0) | (0x02 if mid else 0) | (0x01 if retained else 0)
    return bytes([first]) + encode_length(len(body)) + body


def suback(mid: int, reason: int = 1) -> bytes:
    return b"\x90\x04" + mid.to_bytes(2, "big") + b"\x00" + bytes([reason])
