from __future__ import annotations

import io
import random
from collections import deque
from typing import TYPE_CHECKING

from edge_agent.mqtt.events import MQTT_3, Acks, Down, Passed, Puback, Up
from edge_agent.mqtt.message import Fate, Message
from edge_agent.mqtt.publisher import Publisher
from isotherm.backoff import Backoff
from isotherm.log import start_logging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.mqtt.events import Event, Will

UP = Up(receive_maximum=100, maximum_packet=None)


class _Source:
    """Messages from a list."""

    def __init__(self, *payloads: bytes) -> None:
        self._left = deque(map(Message, payloads))
        self.settled: list[tuple[bytes, Fate, str]] = []

    def next(self) -> Message | None:
        return self._left.popleft() if self._left else None

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        self.settled.append((message.payload, fate, reason))

    def too_large(self, message: Message, reason: str) -> None:
        self.settle(message, Fate.REFUSED, reason)

    @property
    def fates(self) -> list[tuple[bytes, Fate]]:
        return [(payload, fate) for payload, fate, _ in self.settled]


class _Link:
    """A connection that says what the test says, and keeps what is published."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.will: Will | None = None
        self.marks = 0
        self.opened = 0
        self.closed = False
        self.qos: set[int] = set()
        self._mid = 0
        self._sent: list[tuple[int, bytes]] = []

    def open(self) -> None:
        self.opened += 1
        self._mid = 0

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        assert (topic, retain) == ("t", False)
        self.qos.add(qos)
        self._mid += 1
        self._sent.append((self._mid, payload))
        return self._mid

    def exchange(self) -> Sequence[Event]:
        events, self.events = self.events, []
        return events

    def mark(self) -> int:
        self.marks += 1
        return self.marks

    def close(self, *, vanish: bool = False) -> None:
        self.closed = True
        self.vanished = vanish

    def sent(self) -> list[tuple[int, bytes]]:
        """Identifier and payload."""
        sent, self._sent = self._sent, []
        return sent


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Rig:
    def __init__(self, *payloads: bytes, window: int = 100) -> None:
        self.link, self.clock, self.source = _Link(), _Clock(), _Source(*payloads)
        self.told = io.StringIO()
        self.publisher = Publisher(
            self.link,
            self.source,
            topic="t",
            window=window,
            log=start_logging("agent", stream=self.told),
            backoff=Backoff(first=1.0, longest=8.0, draw=random.Random(1)),
            clock=self.clock,
        )

    def turn(self, *events: Event) -> list[tuple[int, bytes]]:
        """One turn that hears the events, and one that acts on them."""
        self.link.events += events
        self.publisher.turn()
        self.publisher.turn()
        return self.link.sent()

    def lose(self, down: Down | None = None) -> None:
        self.turn(down or Down("gone"))
        self.clock.now += 60.0
        self.publisher.turn()


def _acks(*mids: int, code: int = 0) -> Acks:
    return Acks([Puback(mid, code) for mid in mids])


def test_it_sends_nothing_before_the_broker_let_it_in_and_then_all_that_fits() -> None:
    rig = _Rig(b"a", b"b", b"c")
    assert rig.turn() == []
    assert rig.turn(Up(receive_maximum=2, maximum_packet=None)) == [
        (1, b"a"),
        (2, b"b"),
    ]
    assert rig.turn(_acks(1)) == [(3, b"c")]
    assert rig.publisher.unsettled == 2
    rig.turn(_acks(2, 3))
    assert rig.source.fates == [(name, Fate.DELIVERED) for name in (b"a", b"b", b"c")]
    assert rig.publisher.unsettled == 0


def test_a_turn_that_heard_something_wants_to_be_followed_at_once() -> None:
    rig = _Rig(b"a")
    rig.turn(UP)
    rig.link.events.append(_acks(1))
    assert rig.publisher.turn() == 0.0
    assert rig.publisher.turn() > 0.0


def test_after_a_loss_the_unacknowledged_go_again_in_order_before_anything_new() -> None:
    rig = _Rig(b"a", b"b", b"c", b"d", window=3)
    rig.turn(UP)
    rig.turn(_acks(2))
    rig.lose()
    assert rig.link.opened == 2
    assert rig.turn(UP) == [(1, b"a"), (2, b"c"), (3, b"d")]
    rig.turn(_acks(1, 2, 3))
    assert [payload for payload, _ in rig.source.fates] == [b"b", b"a", b"c", b"d"]


def test_mqtt_3_1_1_is_said_once_for_what_it_does_not_say() -> None:
    rig = _Rig()
    for _ in range(2):
        rig.turn(Up(version=MQTT_3))
        rig.lose()
    assert rig.told.getvalue().count("MQTT 3.1.1") == 1
    rig.turn(UP)
    assert "the broker can do all" in rig.told.getvalue()


def test_it_waits_longer_between_tries_while_the_broker_is_away() -> None:
    rig = _Rig()
    waits = []
    for _ in range(12):
        rig.link.events.append(Down("Connection refused"))
        rig.publisher.turn()
        begun = rig.clock.now
        opened = rig.link.opened
        while rig.link.opened == opened:
            rig.clock.now += 0.125
            rig.publisher.turn()
        waits.append(rig.clock.now - begun)
    assert min(waits) >= 1.0
    assert 2.0 < max(waits) <= 8.125
    assert rig.publisher.waiting_for == "Connection refused"
    assert rig.told.getvalue().count("no broker") == 1


def test_messages_that_nobody_got_are_told_apart() -> None:
    rig = _Rig(b"a", b"b")
    rig.turn(UP)
    rig.turn(_acks(1, code=0x10), _acks(2))
    assert rig.source.fates == [(b"a", Fate.UNHEARD), (b"b", Fate.DELIVERED)]


def test_a_refusal_names_its_reason_and_is_not_sent_again() -> None:
    rig = _Rig(b"a")
    rig.turn(UP)
    assert rig.turn(_acks(1, code=0x87)) == []
    assert rig.source.settled == [(b"a", Fate.REFUSED, "not authorized (0x87)")]


def test_a_full_broker_gets_the_message_again_after_a_pause() -> None:
    rig = _Rig(b"a")
    rig.turn(UP)
    assert rig.turn(_acks(1, code=0x97)) == []
    assert rig.source.settled == []
    rig.clock.now += 10.0
    assert rig.turn() == [(2, b"a")]
    rig.turn(_acks(2))
    assert rig.source.fates == [(b"a", Fate.DELIVERED)]


def test_a_broker_that_stays_full_is_said_once_and_its_end_too() -> None:
    rig = _Rig(b"a")
    rig.turn(UP)
    for mid in range(1, 9):
        rig.turn(_acks(mid, code=0x97))
        rig.clock.now += 10.0
        assert rig.turn() == [(mid + 1, b"a")]
    assert rig.told.getvalue().count("quota exceeded (0x97)") == 1
    assert "takes messages again" not in rig.told.getvalue()
    rig.turn(_acks(9))
    assert rig.told.getvalue().count("takes messages again") == 1
    assert rig.source.fates == [(b"a", Fate.DELIVERED)]


def test_what_is_larger_than_the_broker_takes_never_leaves_and_its_neighbours_do() -> None:
    rig = _Rig(b"a", b"x" * 100, b"b")
    sent = rig.turn(Up(receive_maximum=100, maximum_packet=50))
    assert [payload for _, payload in sent] == [b"a", b"b"]
    assert rig.source.settled == [
        (b"x" * 100, Fate.REFUSED, "its packet has 108 bytes, the broker takes 50")
    ]


def test_a_message_at_which_the_broker_hangs_up_is_refused_and_its_neighbours_arrive() -> None:
    rig = _Rig(b"a", b"x", b"b", b"c")
    blame = Down("it hung up: Packet too large (0x95)", blamed=True)
    rig.turn()
    for _ in range(20):
        sent = rig.turn(UP)
        while sent:
            bad = [payload for _, payload in sent if payload == b"x"]
            if bad:
                rig.lose(blame)
                break
            sent = rig.turn(_acks(*[mid for mid, _ in sent]))
    assert rig.source.fates == [
        (b"a", Fate.DELIVERED),
        (b"x", Fate.REFUSED),
        (b"b", Fate.DELIVERED),
        (b"c", Fate.DELIVERED),
    ]


def test_a_broker_that_does_not_let_us_in_is_told() -> None:
    rig = _Rig(b"a")
    rig.turn(Down("it refuses us: Not authorized (0x87)", refused=True))
    assert rig.publisher.refused
    assert not rig.publisher.connected


def test_closing_closes_the_connection() -> None:
    rig = _Rig()
    rig.turn(UP)
    rig.publisher.close()
    assert rig.link.closed
    assert not rig.publisher.connected


def test_what_is_refused_for_its_size_holds_nothing_up() -> None:
    rig = _Rig(b"a", b"x" * 500, b"b")
    rig.turn(UP)
    limit = rig.publisher.packet_limit
    rig.turn(_acks(2, code=0x95), _acks(1, 3))
    assert [fate for _, fate in rig.source.fates] == [
        Fate.REFUSED,
        Fate.DELIVERED,
        Fate.DELIVERED,
    ]
    assert rig.publisher.packet_limit < limit
    assert not rig.publisher.takes(500)
    assert rig.publisher.takes(400)


def test_without_qos_1_what_the_broker_has_read_counts_as_delivered() -> None:
    rig = _Rig(b"a", b"b", b"c", window=2)
    rig.turn(Up(receive_maximum=100, maximum_packet=None, maximum_qos=0))
    assert not rig.publisher.promised
    assert rig.link.marks == 1
    assert rig.source.fates == []
    rig.turn(Passed(99))
    assert rig.source.fates == []
    rig.turn(Passed(1))
    assert rig.source.fates == [(b"a", Fate.DELIVERED), (b"b", Fate.DELIVERED)]
    # What was not read goes again, and the lack is told once.
    rig.lose()
    rig.turn(Up(receive_maximum=100, maximum_packet=None, maximum_qos=0))
    rig.turn(Passed(3))
    assert rig.source.fates[2:] == [(b"c", Fate.DELIVERED)]
    assert rig.told.getvalue().count("delivery cannot be promised") == 1
