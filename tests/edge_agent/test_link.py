"""The real link against a broker that the test plays, byte by byte."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edge_agent.frames import Puback
from edge_agent.link import Acks, Down, Event, Up
from edge_agent.mqtt import MqttLink
from edge_agent.packets import subscribe, unsubscribe
from edge_agent.will import Will
from isotherm.settings.address import Address
from tests.bridge.mqtt.scripted_broker import Peer, ScriptedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

# OASIS MQTT 5.0: CONNACK, no session, success, Receive Maximum 7.
CONNACK = b"\x20\x06\0\0\x03\x21\0\x07"
# SUBACK and UNSUBACK of identifier 65,535.
SUBACK = b"\x90\x04\xff\xff\0\0"
UNSUBACK = b"\xb0\x04\xff\xff\0\0"
PUBACK = b"\x40\x02\0\x05"


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    with ScriptedBroker() as scripted:
        yield scripted


@contextmanager
def _link(
    broker: ScriptedBroker,
    *,
    status: str | None = None,
    will: bytes | None = None,
    keepalive: int = 30,
) -> Iterator[MqttLink]:
    link = MqttLink(
        Address("mqtt", "127.0.0.1", broker.port),
        client_id="c",
        keepalive=keepalive,
        status_topic=status,
    )
    if will is not None:
        link.will = Will("s", will)
    link.open()
    try:
        yield link
    finally:
        link.close()


def _event(link: MqttLink, frames: bytes = b"") -> Event:
    """The next event; there is exactly one."""
    end = time.monotonic() + 20
    events = link.exchange(frames)
    while not events:
        assert time.monotonic() < end
        link.wait(0.1)
        events = link.exchange(b"")
    (event,) = events
    return event


def _nothing(link: MqttLink) -> None:
    for _ in range(3):
        link.wait(0.01)
        assert not link.exchange(b"")


def _packet(link: MqttLink, peer: Peer) -> bytes:
    """What the link sends next, while nothing else happens."""
    with ThreadPoolExecutor(1) as pool:
        packet = pool.submit(peer.packet)
        while not packet.done():
            link.wait(0.01)
            assert not link.exchange(b"")
        return packet.result()


def _accept(broker: ScriptedBroker, link: MqttLink, answer: bytes = CONNACK) -> Peer:
    peer = broker.accept()
    assert _packet(link, peer)[:1] == b"\x10"
    peer.send(answer)
    return peer


def test_without_a_status_the_connack_is_all_that_is_awaited(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        _accept(broker, link)
        assert _event(link) == Up(session=False, receive_maximum=7, maximum_packet=None)


def test_the_retained_status_is_read_back_before_anything_is_sent(broker: ScriptedBroker) -> None:
    with _link(broker, status="s") as link:
        peer = _accept(broker, link)
        assert _packet(link, peer) == subscribe("s")
        peer.send(SUBACK)
        # A PUBLISH with RETAIN at QoS 0, in pieces.
        for piece in (b"\x31\x07", b"\0\x01s\0", b"old"):
            peer.send(piece)
            _nothing(link)
        assert _packet(link, peer) == unsubscribe("s")
        _nothing(link)
        peer.send(UNSUBACK)
        up = _event(link)
        assert isinstance(up, Up)
        assert (up.retained, up.unreadable) == (b"old", "")


def test_a_status_that_may_not_be_read_is_said_and_no_obstacle(broker: ScriptedBroker) -> None:
    with _link(broker, status="s") as link:
        peer = _accept(broker, link)
        assert _packet(link, peer) == subscribe("s")
        peer.send(b"\x90\x04\xff\xff\0\x87")
        assert _packet(link, peer) == unsubscribe("s")
        peer.send(UNSUBACK)
        up = _event(link)
        assert isinstance(up, Up)
        assert up.retained is None
        assert up.unreadable == "not authorized (0x87)"


def test_a_board_without_a_thread_for_it_tries_again(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with _link(broker) as link:
        peer = _accept(broker, link)
        assert isinstance(_event(link), Up)
        peer.close()
        assert isinstance(_event(link), Down)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            link.open()
            assert link.exchange(b"") == [Down("can't start new thread")]
        link.open()
        _accept(broker, link)
        assert isinstance(_event(link), Up)


def test_pubacks_come_in_bulk_and_in_pieces_between_other_packets(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        peer = _accept(broker, link)
        assert isinstance(_event(link), Up)
        pingresp = b"\xd0\0"
        peer.send(PUBACK + PUBACK + pingresp + PUBACK + PUBACK[:3])
        acks = _event(link)
        assert isinstance(acks, Acks)
        assert list(acks.pubacks) == [Puback(5, 0)] * 3
        _nothing(link)
        peer.send(PUBACK[3:])
        assert _event(link) == Acks([Puback(5, 0)])


def test_the_will_is_what_holds_at_the_connect_and_vanishing_asks_for_it(
    broker: ScriptedBroker,
) -> None:
    with _link(broker, status="s", will=b"gone") as link:
        peer = broker.accept()
        connect = _packet(link, peer)
        assert connect.endswith(b"\0\x01s\0\x04gone")
        peer.send(CONNACK)
        _packet(link, peer)
        peer.send(SUBACK)
        _packet(link, peer)
        peer.send(UNSUBACK)
        assert isinstance(_event(link), Up)
        link.close(vanish=True)
        # DISCONNECT with reason 0x04: disconnect with will message.
        assert peer.packet()[:3] == b"\xe0\x07\x04"


def test_a_broker_that_takes_all_and_says_nothing_is_asked_and_then_given_up(
    broker: ScriptedBroker,
) -> None:
    with _link(broker, keepalive=1) as link:
        peer = _accept(broker, link)
        assert isinstance(_event(link), Up)
        publish = b"\x32\x06\0\x01t\0\x01\0"
        end = time.monotonic() + 20
        while not (events := link.exchange(publish)):
            assert time.monotonic() < end
            link.wait(0.1)
        assert isinstance(events[0], Down)
        assert "silent" in events[0].reason
        sent = []
        while packet := peer.packet():
            sent.append(packet)
    assert set(sent) == {publish, b"\xc0\0"}


@pytest.mark.parametrize(
    ("answer", "words", "refused"),
    (
        (b"\x20\x03\0\x87\0", "not authorized (0x87)", True),
        (b"\x20\x03\0\x88\0", "unavailable (0x88)", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "", False),
        (b"\x20\xff\xff\xff\xff\x01", "no MQTT", False),
    ),
)
def test_an_answer_that_lets_us_not_in_is_one_end(
    broker: ScriptedBroker, answer: bytes, words: str, *, refused: bool
) -> None:
    with _link(broker) as link:
        _accept(broker, link, answer).close()
        down = _event(link)
        assert isinstance(down, Down)
        assert words in down.reason
        assert down.refused is refused
        _nothing(link)


def test_a_host_that_answers_nothing_at_all_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.mqtt.CONNECT_TIMEOUT", 0.5)
    # A listener whose queue is full leaves the next SYN unanswered, like a black hole.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        link = MqttLink(Address("mqtt", "127.0.0.1", port), client_id="c")
        link.open()
        turns = 0
        while not (events := link.exchange(b"")):
            link.wait(0.05)
            turns += 1
        assert isinstance(events[0], Down)
        assert "timed out" in events[0].reason
        assert turns > 5
        link.open()
        # Also the goodbye waits for nothing.
        link.close()
        for thread in threading.enumerate():
            if thread.name == "mqtt-connect":
                thread.join()
        for filler in fillers:
            filler.close()
