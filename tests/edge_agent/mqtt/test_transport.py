import pytest

from edge_agent.mqtt.transport import MAX_FRAME, MAX_PACKET, FrameBound, TooLongError, masked

PUBACK = b"\x40\x02\0\x01"


def _frame(payload: bytes, first: int = 0x82) -> bytes:
    """One of a server (RFC 6455, section 5.2), by default the last of a binary message."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


def _see(data: bytes, step: int) -> None:
    bound = FrameBound()
    for at in range(0, len(data), step):
        bound.see(data[at : at + step])


@pytest.mark.parametrize("step", (1, 2, 7, 4096))
def test_packets_and_frames_need_not_begin_together(step: int) -> None:
    packets = PUBACK * 100 + b"\x30\xac\x02" + bytes(300) + b"\xd0\0" + PUBACK
    frames = [packets[at : at + 130] for at in range(0, len(packets), 130)]
    ping = _frame(b"\xff" * 9, 0x89)
    _see(ping.join(_frame(frame) for frame in frames) + _frame(b"") + _frame(PUBACK), step)


@pytest.mark.parametrize("step", (1, 4096))
@pytest.mark.parametrize(
    "data",
    (
        # A frame of 2^40 bytes; one that is masked; a PING of 126 bytes; a packet of 256 MB in one
        # frame or in two.
        b"\x82\x7f" + (1 << 40).to_bytes(8),
        b"\x82\x7f" + (MAX_FRAME + 1).to_bytes(8),
        b"\x82\x84\0\0\0\0" + PUBACK,
        _frame(bytes(126), 0x89),
        _frame(PUBACK + b"\x30\xff\xff\xff\x7f"),
        _frame(PUBACK + b"\x30\xff") + _frame(b"\xff\xff\x7f"),
        _frame(b"\x30\xff\xff\xff\xff\xff"),
    ),
)
def test_what_is_longer_than_anything_is_refused(data: bytes, step: int) -> None:
    with pytest.raises(TooLongError):
        _see(data, step)


def test_the_longest_packet_passes() -> None:
    packet = b"\x30\x80\x80\x10" + bytes(MAX_PACKET)
    _see(_frame(packet[:100_000]) + _frame(packet[100_000:]), 4096)


@pytest.mark.parametrize("payload", (b"", b"hi", bytes(125), bytes(126), bytes(70_000)))
def test_a_frame_without_a_mask_gets_one(payload: bytes) -> None:
    frame = _frame(payload, 0x8A)
    head = len(frame) - len(payload)
    found = masked(frame)
    assert found[0] == frame[0]
    assert found[1] == frame[1] | 0x80
    assert found[2:head] == frame[2:head]
    key, body = found[head : head + 4], found[head + 4 :]
    assert bytes(byte ^ key[place % 4] for place, byte in enumerate(body)) == payload
    assert masked(found) == found
