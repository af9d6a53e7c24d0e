import io
from collections import deque

from edge_agent.mqtt.message import Fate, Message
from edge_agent.reporting.retained import RetainedMessages
from isotherm.log import start_logging


class _Readings:
    def __init__(self, *payloads: bytes) -> None:
        self._left = deque(map(Message, payloads))
        self.settled: list[tuple[bytes, Fate, str]] = []

    def next(self) -> Message | None:
        return self._left.popleft() if self._left else None

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        self.settled.append((message.payload, fate, reason))

    def too_large(self, message: Message, reason: str) -> None:
        self.settled.append((message.payload, Fate.REFUSED, reason))


def _notices(*payloads: bytes) -> tuple[RetainedMessages, _Readings, io.StringIO]:
    readings, told = _Readings(*payloads), io.StringIO()
    return RetainedMessages(readings, start_logging("agent", stream=told)), readings, told


def _all(notices: RetainedMessages) -> list[Message]:
    found = []
    while (message := notices.next()) is not None:
        found.append(message)
    return found


def test_notices_go_first_and_of_each_topic_the_newest_alone() -> None:
    notices, _, _ = _notices(b"reading")
    for topic, payload in (("a", b"a1"), ("b", b"b1"), ("a", b"a2")):
        notices.post(topic, payload)
    messages = _all(notices)
    assert [message.payload for message in messages] == [b"b1", b"a2", b"reading"]
    assert [message.readings for message in messages] == [0, 0, 1]


def test_a_notice_is_a_retained_message_to_its_topic() -> None:
    notices, _, _ = _notices()
    notices.post("a/b", b"x")
    (message,) = _all(notices)
    assert (message.topic, message.payload) == ("a/b", b"x")


def test_what_was_sent_is_not_taken_back_by_what_is_posted_after_it() -> None:
    notices, _, _ = _notices()
    notices.post("a", b"old")
    assert notices.next() is not None
    notices.post("a", b"new")
    assert notices.unsettled == 2
    (message,) = _all(notices)
    assert message.payload == b"new"


def test_each_side_hears_of_its_own_messages() -> None:
    notices, readings, told = _notices(b"reading")
    notices.post("a", b"x")
    for message in _all(notices):
        notices.settle(message, Fate.UNHEARD, "")
    assert readings.settled == [(b"reading", Fate.UNHEARD, "")]
    assert notices.unsettled == 0
    assert told.getvalue() == ""


def test_a_topic_that_the_broker_refuses_is_told_once_and_once_when_it_is_over() -> None:
    notices, _, told = _notices()
    for fate in (Fate.REFUSED, Fate.REFUSED, Fate.DELIVERED, Fate.DELIVERED):
        notices.post("a", b"x")
        (message,) = _all(notices)
        notices.settle(message, fate, "not authorized")
    lines = told.getvalue().splitlines()
    assert [line.partition("agent ")[2] for line in lines] == [
        'the broker refuses notices topic=a reason="not authorized"',
        "the broker takes notices again topic=a",
    ]
