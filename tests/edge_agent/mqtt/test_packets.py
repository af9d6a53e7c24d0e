from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.mqtt import packets
from edge_agent.mqtt.broker.will import Will
from edge_agent.mqtt.events import Down, Up
from edge_agent.mqtt.handshake import Greeting
from edge_agent.mqtt.publish_codec import BrokenFrameError


def _connack(properties: bytes = b"", code: int = 0, flags: int = 0) -> bytes:
    body = bytes((flags, code, len(properties))) + properties
    return b"\x20" + bytes((len(body),)) + body


def _connect(*, clean_start: bool = True, **more: Any) -> bytes:
    return packets.connect(
        "c",
        clean_start=clean_start,
        keepalive=30,
        session_expiry=3600,
        maximum_packet=262_144,
        **more,
    )


def test_a_connect_is_what_the_standard_says() -> None:
    assert _connect() == bytes.fromhex(
        # CONNECT, 24 bytes; MQTT, 5; clean start; 30 s; session expiry, maximum packet size; c.
        "10 18 00044d515454 05 02 001e 0a 11 00000e10 27 00040000 0001 63"
    )


def test_a_connect_with_everything() -> None:
    secrets = {"username": "u", "password": "pä"}
    packet = _connect(clean_start=False, will=Will("t", b"gone"), **secrets)
    # User name, password, will retained at QoS 1; no clean start.
    assert packet[9] == 0x80 | 0x40 | 0x20 | 0x08 | 0x04
    assert packet.endswith(b"\0\x01c\0\0\x01t\0\x04gone\0\x01u\0\x03p\xc3\xa4")


def test_a_will_asks_for_no_more_than_it_says() -> None:
    packet = _connect(will=Will("t", b"gone", qos=0, retain=False))
    assert packet[9] == 0x04 | 0x02


def test_a_disconnect_ends_the_session_and_may_have_the_will_published() -> None:
    assert packets.disconnect(will=False) == bytes.fromhex("e0 07 00 05 11 00000000")
    assert packets.disconnect(will=True) == bytes.fromhex("e0 07 04 05 11 00000000")


def test_a_welcome_says_what_the_broker_takes() -> None:
    every = (
        # Session expiry, receive maximum, QoS, retain, maximum packet size, assigned id,
        b"\x11\0\0\0\x07\x21\0\x14\x24\x01\x25\x01\x27\0\1\0\0\x12\0\2id"
        # topic alias, reason string, user property, wildcards, identifiers, shared, keepalive,
        b"\x22\0\x0a\x1f\0\2no\x26\0\1k\0\1v\x28\1\x29\1\x2a\1\x13\0\x3c"
        # response information, server reference, authentication method and data.
        b"\x1a\0\0\x1c\0\0\x15\0\1a\x16\0\1b"
    )
    welcome = packets.welcome(_connack(every, flags=1))
    assert welcome == packets.Welcome(
        session=True,
        code=0,
        receive_maximum=20,
        maximum_packet=65_536,
        keepalive=60,
        maximum_qos=1,
    )
    assert packets.welcome(_connack()) == packets.Welcome(session=False, code=0)


@pytest.mark.parametrize(
    "packet",
    (
        b"\x20\0",
        b"\x20\x01\0",
        b"\x20\x04\0\0\x05\x21",
        _connack(b"\x7f"),
        b"\x20\x07\0\0\xff\xff\xff\xff\xff",
    ),
)
def test_a_broken_welcome_is_said(packet: bytes) -> None:
    with pytest.raises(BrokenFrameError):
        packets.welcome(packet)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_welcome_or_a_broken_frame(content: bytes) -> None:
    try:
        packets.welcome(b"\x20" + bytes((len(content),)) + content)
    except BrokenFrameError:
        return


def test_a_message_has_topic_and_payload_behind_its_properties() -> None:
    # A message expiry of 7 s before the payload.
    packet = b"\x31\x0b\0\1t\x05\x02\0\0\0\7hi"
    assert packets.arrival(packet) == packets.Arrival("t", b"hi", retain=True)


@pytest.mark.parametrize("packet", (b"\x33\x06\0\1t\0\1\0", b"\x30\2\0\7", b"\x30\0"))
def test_a_message_that_nobody_asked_for_is_broken(packet: bytes) -> None:
    with pytest.raises(BrokenFrameError):
        packets.arrival(packet)


@pytest.mark.parametrize(
    ("packet", "words", "refused"),
    (
        (_connack(code=0x87), "not authorized (0x87)", True),
        (_connack(code=0x89), "busy (0x89)", False),
        # What brokers say that only speak MQTT 3: no properties, and codes of their own.
        (b"\x20\2\0\1", "does not speak MQTT v5 (0x84)", True),
        (b"\x20\2\0\5", "not authorized (0x87)", True),
        (b"\x20\2\0\3", "unavailable (0x88)", False),
    ),
)
def test_a_refusal_is_said_in_words(packet: bytes, words: str, *, refused: bool) -> None:
    greeting = Greeting(None)
    assert greeting.hear(packet) == b""
    assert isinstance(greeting.end, Down)
    assert words in greeting.end.reason
    assert greeting.end.refused is refused


def test_what_comes_before_the_welcome_is_nothing() -> None:
    greeting = Greeting("t")
    for packet in (b"\x90\4\xff\xff\0\0", b"\x31\4\0\1t\0", b"\xb0\4\xff\xff\0\0"):
        assert greeting.hear(packet) == b""
    assert greeting.end is None
    assert greeting.hear(_connack()) == packets.subscribe("t")


def test_another_topic_is_not_our_status() -> None:
    greeting = Greeting("t")
    for packet in (_connack(), b"\x31\5\0\1u\0x", b"\x30\5\0\1t\0y"):
        greeting.hear(packet)
    greeting.hear(b"\xb0\4\xff\xff\0\0")
    assert isinstance(greeting.end, Up)
    assert greeting.end.retained is None
