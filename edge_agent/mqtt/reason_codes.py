"""Reason codes of MQTT v5 for people (OASIS MQTT 5.0, section 2.4)."""

from __future__ import annotations

from typing import Final

NO_SUBSCRIBERS: Final = 0x10
"""A success that means that nobody got it."""
FAILURE: Final = 0x80
"""Codes from here on say that the broker did not take the message."""
VERSION: Final = 0x84
TOO_LARGE: Final = 0x95
QUOTA_EXCEEDED: Final = 0x97

_WORDS: Final = {
    0x00: "without a reason",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "refused for reasons of the broker's own",
    0x84: "it does not speak MQTT v5",
    0x85: "the client id is not accepted",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "it is unavailable",
    0x89: "it is busy",
    0x8A: "banned",
    0x8B: "it is shutting down",
    0x8C: "bad authentication method",
    0x8D: "it has heard nothing of us for too long",
    0x8E: "another client took over our client id",
    0x90: "the topic is not accepted",
    0x91: "packet identifier in use",
    0x93: "more messages at once than it takes",
    0x95: "larger than the broker takes",
    0x96: "more messages than it takes in this time",
    0x97: "quota exceeded",
    0x98: "its operator ended the connection",
    0x99: "payload format invalid",
    0x9A: "it retains nothing",
    0x9B: "it takes QoS 0 only",
    0x9C: "use another server",
    0x9D: "it has moved",
    0x9F: "too many connections in this time",
}


def reason(code: int) -> str:
    """A reason code for people, such as ``not authorized (0x87)``."""
    return f"{_WORDS.get(code, 'refused')} (0x{code:02x})"
