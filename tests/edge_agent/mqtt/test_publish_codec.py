import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.mqtt.publish_codec import BrokenFrameError, Framer, Puback, frame_length, pubacks
from edge_agent.mqtt.reason_codes import reason


def test_a_publish_packet_is_what_the_standard_says() -> None:
    frame = Framer("a/b").frame(0x1234, b"hi")
    assert frame == bytes.fromhex("32 0a 0003") + b"a/b" + bytes.fromhex("1234 00") + b"hi"


def test_a_packet_that_is_sent_again_is_marked() -> None:
    assert Framer("t").frame(1, b"", again=True)[0] == 0x3A


@pytest.mark.parametrize("size", (0, 1, 120, 121, 122, 16_000, 16_377, 16_378, 2_097_200))
def test_a_packet_has_the_size_that_is_foretold_and_that_its_head_says(size: int) -> None:
    framer, payload = Framer("t/x"), b"p" * size
    frame = framer.frame(7, payload)
    assert len(frame) == framer.size(payload) == frame_length(frame)
    assert frame.endswith(payload)


def _encoded(ack: tuple[int, int, int]) -> bytes:
    mid, code, words = ack
    body = mid.to_bytes(2)
    if words:
        text = b"w" * words
        properties = b"\x1f" + words.to_bytes(2) + text
        length = len(properties)
        varint = bytes((length,)) if length < 128 else bytes((length & 127 | 128, length >> 7))
        body += bytes((code,)) + varint + properties
    elif code:
        body += bytes((code,))
    length = len(body)
    return (
        b"\x40"
        + (bytes((length,)) if length < 128 else bytes((length & 127 | 128, length >> 7)))
        + body
    )


@given(
    st.lists(
        st.tuples(
            st.integers(1, 65_535),
            st.sampled_from([0, 16, 0x87, 0x97]),
            st.sampled_from([0, 9, 300]),
        ),
        max_size=6,
    ),
    st.data(),
)
def test_pubacks_are_found_wherever_the_bytes_are_cut(
    acks: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    wire = b"".join(map(_encoded, acks))
    cut = data.draw(st.integers(0, len(wire)))
    first, size = pubacks(wire[:cut])
    second, rest = pubacks(wire[size:])
    assert first + second == [Puback(mid, code) for mid, code, _ in acks]
    assert size + rest == len(wire)


def test_another_packet_ends_the_run() -> None:
    assert pubacks(bytes.fromhex("40020001 d000 40020002")) == ([Puback(1, 0)], 4)


def test_half_a_head_has_no_length_yet() -> None:
    assert frame_length(b"\x20") is None
    assert frame_length(b"\x20\x80") is None


@pytest.mark.parametrize("wire", ("40ffffffff7f", "400100000000"))
def test_what_is_no_mqtt_is_an_error(wire: str) -> None:
    with pytest.raises(BrokenFrameError):
        pubacks(bytes.fromhex(wire))


def test_a_reason_names_the_code() -> None:
    assert reason(0x87) == "not authorized (0x87)"
    assert reason(0xB0) == "refused (0xb0)"
