"""The real link against a broker that the test plays, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from edge_agent.mqtt.client import MqttLink
from edge_agent.mqtt.events import MQTT_3, MQTT_5, Acks, Down, Event, Passed, Puback, Up, Will
from edge_agent.mqtt.paho_client import Target
from isotherm.settings.address import Address
from tests.bridge.mqtt.scripted_broker import Peer, ScriptedBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# OASIS MQTT 5.0: CONNACK, no session, success, Receive Maximum 7.
CONNACK = b"\x20\x06\0\0\x03\x21\0\x07"
# Topic "s", identifiers 1 and 2, no properties, QoS 0.
SUBSCRIBE = b"\x82\x07\0\x01\0\0\x01s\0"
SUBACK = b"\x90\x04\0\x01\0\0"
UNSUBSCRIBE = b"\xa2\x06\0\x02\0\0\x01s"
UNSUBACK = b"\xb0\x04\0\x02\0\0"

_Found = TypeVar("_Found")


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    with ScriptedBroker() as scripted:
        yield scripted


def target(scheme: str, port: int, *, path: str = "", keepalive: int = 30) -> Target:
    address = Address(scheme, "127.0.0.1", port, path=path)
    return Target(address=address, client_id="c", keepalive=keepalive)


@contextmanager
def _link(
    broker: ScriptedBroker,
    *,
    status: str | None = None,
    will: bytes | None = None,
    keepalive: int = 30,
) -> Iterator[MqttLink]:
    link = MqttLink(
        target("mqtt", broker.port, keepalive=keepalive),
        status_topic=status,
    )
    if will is not None:
        link.will = Will("s", will)
    link.open()
    try:
        yield link
    finally:
        link.close()


def event(link: MqttLink) -> Event:
    """The next event; there is exactly one."""
    end = time.monotonic() + 20
    events = link.exchange()
    while not events:
        assert time.monotonic() < end
        link.wait(0.1)
        events = link.exchange()
    (event,) = events
    return event


def _nothing(link: MqttLink) -> None:
    for _ in range(3):
        link.wait(0.01)
        assert not link.exchange()


def _packet(link: MqttLink, peer: Peer) -> bytes:
    """What the link sends next, while nothing else happens."""
    return meanwhile(link, peer.packet)


def meanwhile(link: MqttLink, ask: Callable[[], _Found]) -> _Found:
    """What the broker's side sees, while nothing happens on ours."""
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(ask)
        while not found.done():
            link.wait(0.01)
            assert not link.exchange()
        return found.result()


def _accept(broker: ScriptedBroker, link: MqttLink, answer: bytes = CONNACK) -> Peer:
    peer = broker.accept()
    assert _packet(link, peer)[:1] == b"\x10"
    peer.send(answer)
    return peer


def test_without_a_status_the_connack_is_all_that_is_awaited(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        _accept(broker, link)
        assert event(link) == Up(receive_maximum=7, maximum_packet=None)


def test_the_retained_status_is_read_back_before_anything_is_sent(broker: ScriptedBroker) -> None:
    with _link(broker, status="s") as link:
        peer = _accept(broker, link)
        assert _packet(link, peer) == SUBSCRIBE
        peer.send(SUBACK)
        # A PUBLISH with RETAIN at QoS 0, in pieces.
        for piece in (b"\x31\x07", b"\0\x01s\0", b"old"):
            peer.send(piece)
            _nothing(link)
        assert _packet(link, peer) == UNSUBSCRIBE
        _nothing(link)
        peer.send(UNSUBACK)
        up = event(link)
        assert isinstance(up, Up)
        assert (up.retained, up.unreadable) == (b"old", "")


def test_a_status_that_may_not_be_read_is_said_and_no_obstacle(broker: ScriptedBroker) -> None:
    with _link(broker, status="s") as link:
        peer = _accept(broker, link)
        assert _packet(link, peer) == SUBSCRIBE
        peer.send(b"\x90\x04\0\x01\0\x87")
        assert _packet(link, peer) == UNSUBSCRIBE
        peer.send(UNSUBACK)
        up = event(link)
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
        assert isinstance(event(link), Up)
        peer.close()
        assert isinstance(event(link), Down)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            link.open()
            assert link.exchange() == [Down("can't start new thread")]
        link.open()
        _accept(broker, link)
        assert isinstance(event(link), Up)


def test_pubacks_come_in_bulk_and_in_pieces_between_other_packets(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        peer = _accept(broker, link)
        assert isinstance(event(link), Up)
        pingresp = b"\xd0\0"
        mids = [link.publish("t", b"%d" % n, qos=1, retain=False) for n in range(4)]
        for _ in mids:
            _packet(link, peer)
        pubacks = [b"\x40\x02" + mid.to_bytes(2) for mid in mids]
        peer.send(pubacks[0] + pubacks[1] + pingresp + pubacks[2] + pubacks[3][:3])
        found: list[Puback] = []
        while len(found) < 3:
            acks = event(link)
            assert isinstance(acks, Acks)
            found += acks.pubacks
        assert found == [Puback(mid, 0) for mid in mids[:3]]
        _nothing(link)
        # Nobody subscribed, in a PUBACK that says so (OASIS MQTT 5.0, 3.4.2.1).
        peer.send(pubacks[3][3:] + b"\x40\x03" + mids[3].to_bytes(2) + b"\x10")
        assert event(link) == Acks([Puback(mids[3], 0)])
        mid = link.publish("t", b"x", qos=1, retain=False)
        _packet(link, peer)
        peer.send(b"\x40\x03" + mid.to_bytes(2) + b"\x10")
        assert event(link) == Acks([Puback(mid, 0x10)])


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
        assert isinstance(event(link), Up)
        link.close(vanish=True)
        # DISCONNECT with reason 0x04: disconnect with will message.
        assert peer.packet() == b"\xe0\x01\x04"


def test_a_broker_that_takes_all_and_says_nothing_is_asked_and_then_given_up(
    broker: ScriptedBroker,
) -> None:
    with _link(broker, keepalive=1) as link:
        peer = _accept(broker, link)
        assert isinstance(event(link), Up)
        end = time.monotonic() + 20
        while not (events := link.exchange()):
            assert time.monotonic() < end
            link.publish("t", b"", qos=1, retain=False)
            link.wait(0.1)
        assert isinstance(events[0], Down)
        assert "silent" in events[0].reason
        sent = []
        while packet := peer.packet():
            sent.append(packet)
    assert {packet[0] for packet in sent} == {0x32, 0xC0}


def test_what_is_sent_after_a_pause_has_not_waited_for_the_broker(broker: ScriptedBroker) -> None:
    with _link(broker, keepalive=1) as link:
        peer = _accept(broker, link)
        assert isinstance(event(link), Up)
        # Longer than a keepalive without a write, shorter than what counts as silence.
        time.sleep(1.1)
        mid = link.publish("t", b"x", qos=1, retain=False)
        assert not link.exchange()
        assert peer.packet()[0] == 0x32
        peer.send(b"\x40\x02" + mid.to_bytes(2))
        assert event(link) == Acks([Puback(mid, 0)])


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
        down = event(link)
        assert isinstance(down, Down)
        assert words in down.reason
        assert down.refused is refused
        _nothing(link)


def test_a_refusal_in_the_form_of_mqtt_3_is_asked_for_again_in_that(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        # OASIS MQTT 3.1.1, table 3.1: not authorized.
        refusal = b"\x20\x02\0\x05"
        _accept(broker, link, refusal)
        _nothing(link)
        peer = broker.accept()
        assert _packet(link, peer)[:9] == b"\x10\x0d\0\x04MQTT\x04"
        peer.send(refusal)
        down = event(link)
        assert isinstance(down, Down)
        assert "not authorized (0x87)" in down.reason
        assert down.refused


def test_a_refusal_in_the_form_of_mqtt_3_is_said_where_5_is_wanted(broker: ScriptedBroker) -> None:
    link = MqttLink(target("mqtt", broker.port), version="5")
    link.open()
    _accept(broker, link, b"\x20\x02\0\x05")
    down = event(link)
    assert isinstance(down, Down)
    assert "it does not speak MQTT v5" in down.reason
    assert down.refused
    link.close()


def test_a_host_that_answers_nothing_at_all_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.mqtt.client.CONNECT_TIMEOUT", 0.5)
    # A listener whose queue is full leaves the next SYN unanswered, like a black hole.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        link = MqttLink(target("mqtt", port))
        link.open()
        turns = 0
        while not (events := link.exchange()):
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


LEVEL = 8
"""Where CONNECT says which MQTT it is (OASIS MQTT 5.0, 3.1.2.2)."""


def _levels(broker: ScriptedBroker, link: MqttLink, speaks: tuple[int, ...]) -> list[int]:
    """What was tried, by a broker that ends without a word where it does not speak it."""
    tried: list[int] = []
    for level in speaks:
        peer = meanwhile(link, broker.accept)
        tried.append(_packet(link, peer)[LEVEL])
        if level == tried[-1]:
            peer.send(CONNACK if level == 5 else b"\x20\x02\0\0")
        else:
            peer.close()
    return tried


def _mute(broker: ScriptedBroker, link: MqttLink) -> None:
    assert _levels(broker, link, (0,)) == [5]
    down = event(link)
    assert isinstance(down, Down)
    assert down.mute
    link.open()


def test_a_broker_that_has_no_answer_to_mqtt_5_is_asked_in_3_1_1(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        _mute(broker, link)
        # 3.1.1, and 5 once more: it might have been about to start.
        assert _levels(broker, link, (4, 4, 4, 4)) == [5, 4, 5, 4]
        assert event(link) == Up(version=MQTT_3)
    with _link(broker) as link:
        _mute(broker, link)
        assert _levels(broker, link, (0, 4, 5)) == [5, 4, 5]
        assert isinstance(up := event(link), Up)
        assert up.version == MQTT_5
    with _link(broker) as link:
        _mute(broker, link)
        assert _levels(broker, link, (0, 0)) == [5, 4]
        assert isinstance(down := event(link), Down)
        assert down.mute


def test_a_name_server_that_hangs_is_said_once_and_waited_for(
    broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    ask = socket.getaddrinfo

    def slow(*args: Any, **more: Any) -> Any:
        answer.wait(20)
        return ask(*args, **more)

    monkeypatch.setattr("edge_agent.mqtt.client.DIAL", 0.5, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with _link(broker) as link:
        try:
            down = event(link)
            assert isinstance(down, Down)
            assert "name server" in down.reason
            threads = threading.active_count()
            # The next tries add no thread to the one that hangs, and no word.
            for _ in range(3):
                link.open()
                _nothing(link)
            assert threading.active_count() == threads
        finally:
            answer.set()
        _accept(broker, link)
        link.open()
        assert isinstance(event(link), Up)


@pytest.mark.parametrize("code", (0x95, 0x87, 0x10, 0x42, 0xFF))
def test_any_reason_that_a_broker_gives_tells_of_one_message(
    broker: ScriptedBroker, code: int
) -> None:
    with _link(broker) as link:
        peer = _accept(broker, link)
        assert isinstance(event(link), Up)
        mid = link.publish("t", b"x", qos=1, retain=False)
        _packet(link, peer)
        peer.send(b"\x40\x04" + mid.to_bytes(2) + bytes((code, 0)))
        assert event(link) == Acks([Puback(mid, code)])


def test_at_qos_0_the_broker_has_read_what_went_before_a_mark(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        # Maximum QoS 0 (OASIS MQTT 5.0, 3.2.2.3.4).
        peer = _accept(broker, link, b"\x20\x05\0\0\x02\x24\0")
        up = event(link)
        assert isinstance(up, Up)
        assert up.maximum_qos == 0
        link.publish("t", b"x", qos=0, retain=False)
        mark = link.mark()
        assert _packet(link, peer) == b"\x30\x05\0\x01t\0x"
        _packet(link, peer)
        _nothing(link)
        peer.send(b"\xb0\x04" + mark.to_bytes(2) + b"\0\x11")
        assert event(link) == Passed(mark)


def test_a_packet_without_end_is_not_kept(broker: ScriptedBroker) -> None:
    with _link(broker) as link:
        peer = _accept(broker, link)
        assert isinstance(event(link), Up)
        # A PUBLISH of 256 MB.
        peer.send(b"\x30\xff\xff\xff\x7f" + bytes(1000))
        down = event(link)
        assert isinstance(down, Down)
        assert "absurd length" in down.reason


@pytest.mark.parametrize("qos", (1, 2))
def test_messages_that_want_an_answer_are_not_kept(broker: ScriptedBroker, qos: int) -> None:
    with _link(broker) as link:
        peer = _accept(broker, link)
        assert isinstance(event(link), Up)
        peer.send(bytes((0x30 | qos << 1,)) + b"\x06\0\x01t\0\x01\0" * 10)
        down = event(link)
        assert isinstance(down, Down)
        assert "nobody asked for" in down.reason


def test_a_status_that_is_too_long_is_not_asked_for_again_at_once(broker: ScriptedBroker) -> None:
    with _link(broker, status="s") as link:
        peer = _accept(broker, link)
        _packet(link, peer)
        peer.send(b"\x31\x80\x80\x40" + SUBACK)
        assert isinstance(event(link), Down)
        peer.close()
        link.open()
        _accept(broker, link)
        up = event(link)
        assert isinstance(up, Up)
        assert "longer than" in up.unreadable


def test_the_request_for_websockets_says_where_it_goes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        link = MqttLink(target("ws", port, path="/a/b"))
        link.open()
        peer, _ = server.accept()
        with peer:
            request = peer.recv(4096).decode().split("\r\n")
            assert request[0] == "GET /a/b HTTP/1.1"
            assert f"Host: 127.0.0.1:{port}" in request
            assert f"Origin: http://127.0.0.1:{port}" in request
            assert "Sec-Websocket-Protocol: mqtt" in request
            # A header without an end; by then nobody takes the rest of it.
            with contextlib.suppress(OSError):
                peer.sendall(b"x" * 1_000_000)
        down = event(link)
        assert isinstance(down, Down)
        assert "absurd length" in down.reason
        link.close()
