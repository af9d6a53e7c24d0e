from __future__ import annotations

import time
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import MalformedPacketError, PacketTooLargeError
from bridge.mqtt.framing import KEPT_BYTES, Cut, Frame, Framer, pubacks
from isotherm.mqtt.length import encode_length
from tests.bridge.mqtt.packets import CONNACK_NEW, PINGRESP, publish

CORRELATION = b"\x09\x00\x02id"
USER_PROPERTY = b"\x26\x00\x01k\x00\x01v"

frames = st.builds(
    Frame,
    topic=st.binary(min_size=1, max_size=200),
    payload=st.one_of(
        st.binary(max_size=300),
        # Past 127 and 16,383 bytes the remaining length takes two and three bytes.
        st.sampled_from([b"x" * 120, b"x" * 128, b"x" * 16_400, b"\x30" * 3000]),
    ),
    mid=st.integers(0, 65_535),
    duplicate=st.booleans(),
    retained=st.booleans(),
)
others = st.sampled_from([CONNACK_NEW, PINGRESP, b"\x90\x04\x00\x01\x00\x01", b"\xe0\x00"])


def encoded(packet: Frame | bytes, *, modern: bool, properties: bytes) -> bytes:
    if isinstance(packet, bytes):
        return packet
    return publish(
        packet.topic,
        packet.payload,
        packet.mid,
        duplicate=packet.duplicate,
        retained=packet.retained,
        properties=properties if modern else None,
    )


@given(
    packets=st.lists(st.one_of(frames, others), max_size=12),
    modern=st.booleans(),
    properties=st.sampled_from([b"", CORRELATION, USER_PROPERTY * 30]),
    cuts=st.lists(st.integers(0, 2000), max_size=20),
)
def test_any_split_of_a_stream_gives_the_packets_that_went_in(
    packets: list[Frame | bytes], *, modern: bool, properties: bytes, cuts: list[int]
) -> None:
    stream = b"".join(encoded(p, modern=modern, properties=properties) for p in packets)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    framer = Framer(properties=modern)
    read: list[Frame] = []
    rest = b""
    for start, stop in pairwise(places):
        some, other = framer.feed(stream[start:stop])
        read += some
        rest += other
    assert read == [packet for packet in packets if isinstance(packet, Frame)]
    assert rest == b"".join(packet for packet in packets if isinstance(packet, bytes))


def test_a_stream_cut_at_every_byte_gives_the_same_frames() -> None:
    stream = publish(b"t/1", b"x" * 20_000, 1) + PINGRESP + publish(b"t/2", b"", 65_535)
    framer = Framer(properties=True)
    read = [frame for byte in stream for frame in framer.feed(bytes([byte]))[0]]
    assert [(f.topic, len(f.payload), f.mid) for f in read] == [
        (b"t/1", 20_000, 1),
        (b"t/2", 0, 65_535),
    ]


LIMIT = 16_400
large = st.builds(
    Frame,
    topic=st.binary(min_size=1, max_size=200),
    payload=st.integers(LIMIT, 3 * KEPT_BYTES).map(lambda size: (b"reading\n" * size)[:size]),
    mid=st.integers(0, 65_535),
    duplicate=st.booleans(),
    retained=st.booleans(),
)


@settings(deadline=None)
@given(
    packets=st.lists(st.one_of(frames, others, large), max_size=8),
    modern=st.booleans(),
    properties=st.sampled_from([b"", CORRELATION, USER_PROPERTY * 30, USER_PROPERTY * 40_000]),
    cuts=st.lists(st.integers(0, 2**24), max_size=20),
)
def test_of_a_packet_above_the_limit_the_beginning_a_hash_and_the_length_are_kept(
    packets: list[Frame | bytes], *, modern: bool, properties: bytes, cuts: list[int]
) -> None:
    stream = b"".join(encoded(p, modern=modern, properties=properties) for p in packets)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    framer = Framer(properties=modern, limit=LIMIT)
    read: list[Frame] = []
    rest = b""
    for start, stop in pairwise(places):
        some, other = framer.feed(stream[start:stop])
        read += some
        rest += other
    assert rest == b"".join(packet for packet in packets if isinstance(packet, bytes))
    sent = [packet for packet in packets if isinstance(packet, Frame)]
    assert [frame[:1] + frame[2:] for frame in read] == [frame[:1] + frame[2:] for frame in sent]
    for came, went in zip(read, sent, strict=True):
        assert went.payload.startswith(came.payload)
        if isinstance(came.payload, Cut):
            assert len(went.payload) > len(came.payload) == KEPT_BYTES
            assert came.payload.length == len(went.payload)
            assert came.payload.digest == sha256(went.payload).hexdigest()
        else:
            assert came.payload == went.payload


@given(size=st.integers(LIMIT, 268_435_455), first=st.sampled_from([0x30, 0x32, 0x3B, 0x90]))
def test_a_length_above_the_limit_is_refused_before_the_packet_has_come(
    size: int, first: int
) -> None:
    with pytest.raises(PacketTooLargeError, match=f"above mqtt.max_packet_size = {LIMIT}"):
        Framer(properties=True, limit=LIMIT, strict=True).feed(bytes([first]) + encode_length(size))


def test_a_packet_above_the_limit_that_is_no_publish_ends_the_connection() -> None:
    with pytest.raises(PacketTooLargeError):
        Framer(properties=False, limit=LIMIT).feed(b"\x90" + encode_length(LIMIT))


def test_small_pieces_of_a_large_packet_cost_no_more_than_their_bytes() -> None:
    stream = publish(b"t", bytes(24_000_000), 1)
    framer = Framer(properties=True)
    began = time.process_time()
    read = [
        frame
        for start in range(0, len(stream), 1000)
        for frame in framer.feed(stream[start : start + 1000])[0]
    ]
    # Joined again at each piece, this took minutes.
    assert time.process_time() - began < 5
    assert [len(frame.payload) for frame in read] == [24_000_000]


def test_a_remaining_length_of_four_bytes_is_read() -> None:
    payload = b"x" * 2_097_152
    [frame], _ = Framer(properties=True).feed(publish(b"t", payload, 7))
    assert frame.payload == payload


@pytest.mark.parametrize(
    ("stream", "words"),
    (
        (b"\x30\xff\xff\xff\xff\x01", "more than four bytes"),
        (b"\x34\x06\x00\x01t\x00\x00\x00", "packet identifier 0"),
        (b"\x36\x05\x00\x01t\x00\x01", "QoS 3"),
        (b"\x32\x06\x00\x01t\x00\x00\x00", "packet identifier 0"),
        (b"\x32\x00", "whole topic"),
        (b"\x32\x03\x00\x09t", "whole topic"),
        (b"\x30\x03\x00\x00\x00", "topic aliases are not allowed"),
        (b"\x32\x07\x00\x01t\x00\x01\x7f\x00", "past the packet"),
        (b"\x32\x06\x00\x01t\x00\x01\xff", "past the packet"),
    ),
)
def test_what_is_not_mqtt_is_refused_with_a_reason(stream: bytes, words: str) -> None:
    with pytest.raises(MalformedPacketError, match=words):
        Framer(properties=True).feed(stream)


@given(stream=st.binary(max_size=400), modern=st.booleans())
def test_no_bytes_raise_anything_else(stream: bytes, *, modern: bool) -> None:
    try:
        Framer(properties=modern).feed(stream)
    except MalformedPacketError as error:
        assert str(error)  # noqa: PT017 either outcome is right; another exception is not


def test_pubacks_are_four_bytes_each_in_order() -> None:
    assert pubacks([1, 65_535, 258]) == b"\x40\x02\x00\x01\x40\x02\xff\xff\x40\x02\x01\x02"
