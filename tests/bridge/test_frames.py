from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import MalformedPacketError
from bridge.frames import Frame, Framer, pubacks
from tests.bridge.packets import CONNACK_NEW, PINGRESP, length, publish

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


def test_a_remaining_length_of_four_bytes_is_read() -> None:
    payload = b"x" * 2_097_152
    [frame], _ = Framer(properties=True).feed(publish(b"t", payload, 7))
    assert frame.payload == payload


@pytest.mark.parametrize(
    ("stream", "words"),
    (
        (b"\x30\xff\xff\xff\xff\x01", "more than four bytes"),
        (b"\x34\x05\x00\x01t\x00\x01", "QoS 2"),
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
    assert length(321) == b"\xc1\x02"
