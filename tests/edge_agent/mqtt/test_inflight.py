import pytest

from edge_agent.mqtt.inflight import BARREN, STRIKES, Window
from edge_agent.mqtt.message import Message


def _window(most: int = 10, receive_maximum: int = 10) -> Window:
    window = Window(most)
    window.connected(receive_maximum)
    return window


def _fill(window: Window, *names: str) -> list[Message]:
    messages = [Message(name.encode()) for name in names]
    for message in messages:
        assert window.open()
        window.add(message, _mid(window))
    return messages


def _drain(window: Window) -> list[bytes]:
    sent = []
    while (message := _again(window)) is not None:
        sent.append(message.payload)
    return sent


def _again(window: Window) -> Message | None:
    """Send the next one again, under a packet identifier of the new connection."""
    message = window.again()
    if message is not None:
        window.add(message, _mid(window))
    return message


def _mid(window: Window) -> int:
    """The lowest that is not in use, as the client gives them out."""
    taken = {message.mid for message in window.flight}
    return next(mid for mid in range(1, 1 << 16) if mid not in taken)


@pytest.mark.parametrize(("ours", "theirs"), ((2, 100), (100, 2)))
def test_the_smaller_bound_holds(ours: int, theirs: int) -> None:
    window = _window(ours, theirs)
    _fill(window, "a", "b")
    assert not window.open()
    window.settle(1)
    assert window.open()


def test_bytes_in_flight_are_bounded_too() -> None:
    window = Window(100, most_bytes=10)
    window.connected(100)
    _fill(window, "123456", "123456")
    assert not window.open()
    window.settle(1)
    assert window.open()


def test_nothing_goes_before_a_connection_or_after_it() -> None:
    window = Window(5)
    assert not window.open()
    window.connected(5)
    _fill(window, "a")
    window.lost()
    assert not window.open()
    assert _again(window) is None


def test_a_puback_for_nothing_is_nothing() -> None:
    window = _window()
    _fill(window, "a")
    assert window.settle(99) is None
    assert window.settle(1) is not None
    assert window.settle(1) is None


def test_a_new_connection_gets_the_unsettled_in_order_then_new_ones() -> None:
    window = _window()
    messages = _fill(window, "a", "b", "c", "d")
    window.settle(2)
    window.lost()
    assert len(window) == 3
    window.connected(2)
    assert not window.open()
    assert _drain(window) == [b"a", b"c"]
    window.lost()
    window.connected(10)
    assert _drain(window) == [b"a", b"c", b"d"]
    assert [messages[place].mid for place in (0, 2, 3)] == [1, 2, 3]
    _fill(window, "e")
    assert window.settle(4) is not None


def test_a_postponed_message_goes_before_new_ones() -> None:
    window = _window()
    _fill(window, "a", "b")
    message = window.settle(1)
    assert message is not None
    window.postpone(message)
    assert not window.open()
    assert _drain(window) == [b"a"]


def test_one_message_in_flight_that_is_blamed_is_given_up() -> None:
    window = _window()
    (message,) = _fill(window, "too large")
    assert window.lost(blamed=True) is message
    assert len(window) == 0


def test_among_many_the_blamed_one_is_found_and_no_other_given_up() -> None:
    window = _window()
    _fill(window, *"abXcd")
    given_up = []
    settled = []
    culprit = window.lost(blamed=True)
    assert culprit is None
    assert window.on_guard
    while len(window):
        window.connected(10)
        while (message := _again(window)) is not None:
            if message.payload == b"X":
                culprit = window.lost(blamed=True)
                assert culprit is not None
                given_up.append(culprit.payload)
                break
            assert _again(window) is None
            window.settle(message.mid)
            settled.append(message.payload)
    assert given_up == [b"X"]
    assert settled == [b"a", b"b", b"c", b"d"]
    assert not window.on_guard


def test_a_message_that_silently_ends_each_connection_is_given_up_in_the_end() -> None:
    window = _window()
    _fill(window, *"aXb")
    connections = 0
    culprit = None
    settled = []
    while culprit is None:
        connections += 1
        culprit = window.lost()
        window.connected(10)
        while (message := _again(window)) is not None and message.payload != b"X":
            if window.on_guard:
                window.settle(message.mid)
                settled.append(message.payload)
    assert culprit.payload == b"X"
    assert settled == [b"a", b"b"]
    # One more, which settled "a" and so was no failure.
    assert connections == BARREN + 1 + STRIKES


def test_losses_with_progress_between_them_blame_nobody() -> None:
    window = _window()
    _fill(window, *"abcdefgh")
    for _ in range(7):
        message = _again(window)
        window.settle(message.mid if message else 1)
        assert window.lost() is None
        assert not window.on_guard
        window.connected(10)
    assert len(window) == 1


def test_an_idle_connection_that_ends_blames_nobody() -> None:
    window = _window()
    for _ in range(20):
        assert window.lost() is None
        window.connected(10)
    assert not window.on_guard
