from __future__ import annotations

import os
import queue
import random
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.mqtt.backpressure import Backpressure
from bridge.mqtt.framing import Cut, Frame
from bridge.mqtt.options import SessionOptions
from bridge.mqtt.paho_private import PrivateNamesClient
from bridge.mqtt.paho_public import PublicNamesClient
from bridge.mqtt.session import Session
from bridge.mqtt.ways import Way
from isotherm.backoff import Backoff
from isotherm.log import Log
from isotherm.settings.address import Address
from tests.bridge.mqtt.packets import CONNACK_NEW, CONNACK_RESUMED, PINGRESP, publish, suback
from tests.bridge.mqtt.scripted_broker import Peer, ScriptedBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.mqtt.client import Arrivals


@pytest.fixture(params=(PrivateNamesClient, PublicNamesClient), autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is promised of a session holds in both ways."""
    monkeypatch.setattr("bridge.mqtt.session.choose", lambda: Way(request.param, "", ""))


CONNECT, SUBSCRIBE, PINGREQ, DISCONNECT = 0x10, 0x82, 0xC0, 0xE0


class Events:
    def __init__(self) -> None:
        self.arrivals: queue.Queue[Arrivals] = queue.Queue()
        self.states: queue.Queue[str] = queue.Queue()
        self.connections: list[bool] = []
        self.settled = threading.Event()

    def arrived(self, arrivals: Arrivals) -> None:
        self.arrivals.put(arrivals)

    def connected(self, *, resumed: bool) -> None:
        self.connections.append(resumed)

    def taken_over(self) -> None:
        self.states.put("taken over")

    def left(self) -> None:
        self.settled.set()

    def subscribed(self, *, resumed: bool) -> None:
        self.states.put("resumed" if resumed else "new")

    def disconnected(self, why: str, *, refused: bool = False) -> None:
        self.states.put(f"{'refused' if refused else 'lost'}: {why}")


@contextmanager
def session(
    broker: ScriptedBroker,
    backpressure: Backpressure | None = None,
    *,
    asks: bool = False,
    **options: Any,
) -> Iterator[tuple[Session, Events]]:
    events = Events()
    plain: dict[str, Any] = {"filters": ("isotherm/v1/readings/#",), "receive_maximum": 100}
    made = Session(
        SessionOptions(
            address=Address("mqtt", "127.0.0.1", broker.port), client_id="b", **{**plain, **options}
        ),
        events,
        Backoff(first=0.001, longest=0.002, draw=random.Random(0)),
        Log("test"),
        backpressure,
        takeover_pauses=Backoff(first=0.3, longest=0.4, draw=random.Random(0)),
        asks=asks,
    )
    made.start()
    try:
        yield made, events
    finally:
        # A broker that is gone need not be waited for.
        broker.hang_up()
        made.close(10)


def greet(broker: ScriptedBroker, connack: bytes = CONNACK_NEW, *, with_it: bytes = b"") -> Peer:
    peer = broker.accept()
    assert peer.packet()[0] == CONNECT
    peer.send(connack + with_it)
    subscribe = peer.packet()
    assert subscribe[0] == SUBSCRIBE
    peer.send(suback(int.from_bytes(subscribe[2:4], "big")))
    return peer


def end(made: Session, peer: Peer) -> list[int]:
    """Close the session with a broker that answers its PINGREQ; what kinds of packets came."""
    with ThreadPoolExecutor(1) as pool:
        closed = pool.submit(made.close, 10)
        first = peer.packet()[0]
        peer.send(PINGRESP)
        second = peer.packet()[0]
        closed.result()
    return [first, second]


def test_the_session_is_persistent_and_its_window_bounded() -> None:
    with ScriptedBroker() as broker, session(broker):
        peer = broker.accept()
        connect = peer.packet()
        # MQTT 5.0 section 3.1.2: the flags hold no Clean Start, the properties hold Session Expiry
        # Interval (0x11) over 0 and Receive Maximum (0x21) 100.
        assert connect[9] & 0x02 == 0
        assert b"\x21\x00\x64" in connect
        assert b"\x11" + (7 * 86_400).to_bytes(4, "big") in connect
        peer.close()


def test_frames_that_come_with_the_connack_are_taken() -> None:
    with ScriptedBroker() as broker, session(broker) as (_, events):
        greet(broker, CONNACK_RESUMED, with_it=publish(b"t", b"one", 1) + publish(b"t", b"two", 2))
        arrivals = events.arrivals.get(timeout=10)
        assert [frame.payload for frame in arrivals.frames] == [b"one", b"two"]
        assert events.states.get(timeout=10) == "resumed"


def test_acknowledgements_go_out_in_the_order_given() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = greet(broker)
        peer.send(publish(b"t", b"one", 7) + PINGRESP + publish(b"t", b"two", 3))
        connection = events.arrivals.get(timeout=10).connection
        assert made.acknowledge(connection, [7, 3])
        assert peer.packet() == b"\x40\x02\x00\x07"
        assert peer.packet() == b"\x40\x02\x00\x03"


def test_an_acknowledgement_for_an_earlier_connection_is_never_sent() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = greet(broker)
        peer.send(publish(b"t", b"one", 7))
        old = events.arrivals.get(timeout=10).connection
        peer.close()
        peer = greet(broker, CONNACK_RESUMED, with_it=publish(b"t", b"another", 7))
        new = events.arrivals.get(timeout=10).connection
        assert not made.acknowledge(old, [7])
        assert made.acknowledge(new, [7])
        assert peer.packet() == b"\x40\x02\x00\x07"
        assert end(made, peer) == [PINGREQ, DISCONNECT]


def test_a_malformed_stream_ends_the_connection_and_not_the_session() -> None:
    with ScriptedBroker() as broker, session(broker) as (_, events):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        peer.send(b"\x36\x05\x00\x01t\x00\x01")
        assert "QoS 3" in events.states.get(timeout=10)
        assert peer.packet() == b""
        peer = greet(broker, CONNACK_RESUMED)
        assert events.states.get(timeout=10) == "resumed"


def test_a_packet_above_the_limit_ends_the_connection_and_is_passed_over_when_it_comes_again() -> (
    None
):
    with ScriptedBroker() as broker, session(broker) as (made, events):
        connect = (peer := broker.accept()).packet()
        # Section 3.1.2.11.4: Maximum Packet Size.
        assert b"\x27" + (4 * 1024 * 1024).to_bytes(4, "big") in connect
        peer.send(CONNACK_NEW)
        peer.packet()
        # Not a byte of the packet has come but its length of 256 MiB.
        peer.send(b"\x32\xff\xff\xff\x7f")
        assert "a packet of 268435460 bytes, above mqtt" in events.states.get(timeout=10)
        # Section 3.14.2.1: Packet too large.
        assert peer.packet()[:3] == b"\xe0\x01\x95"
        assert peer.packet() == b""
        peer = greet(broker, CONNACK_RESUMED)
        payload = b"[" * 5_000_000
        peer.send(publish(b"t", payload, 7) + publish(b"t", b"next", 8))
        frames: list[Frame] = []
        while len(frames) < 2:
            connection, some = events.arrivals.get(timeout=10)
            frames += some
        cut = frames[0].payload
        assert isinstance(cut, Cut)
        assert (cut.length, cut.digest) == (len(payload), sha256(payload).hexdigest())
        assert [frame.mid for frame in frames] == [7, 8]
        assert made.acknowledge(connection, [7, 8])
        assert peer.packet() == b"\x40\x02\x00\x07"


def test_what_is_above_the_bound_stays_unread_and_the_connection_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.mqtt.session._KEEPALIVE_S", 1)
    backpressure = Backpressure()
    with (
        ScriptedBroker() as broker,
        session(broker, backpressure) as (made, events),
    ):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        peer.send(publish(b"t", b"one", 1))
        connection = events.arrivals.get(timeout=10).connection
        backpressure.room.clear()
        peer.send(publish(b"t", b"two", 2))
        # Three times the keepalive: pings go out, though their answers lie behind what is unread.
        for _ in range(4):
            while (packet := peer.packet())[0] != PINGREQ:
                pass
            peer.send(PINGRESP)
        assert packet
        assert events.arrivals.empty()
        assert events.states.empty()
        assert made.acknowledge(connection, [1])
        assert peer.packet() == b"\x40\x02\x00\x01"
        backpressure.room.set()
        assert events.arrivals.get(timeout=10).frames[0].payload == b"two"


def test_a_connection_that_is_made_while_there_is_no_room_is_made() -> None:
    backpressure = Backpressure()
    backpressure.room.clear()
    with ScriptedBroker() as broker, session(broker, backpressure) as (_, events):
        greet(broker)
        backpressure.room.set()
        assert events.states.get(timeout=10) == "new"


def test_in_a_pause_only_what_came_at_qos_0_is_taken() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        made.pause()
        peer.send(publish(b"t", b"one", 1) + publish(b"t", b"lone"))
        assert [frame.payload for frame in events.arrivals.get(timeout=10).frames] == [b"lone"]


def test_a_topic_alias_that_was_not_allowed_ends_the_connection_and_is_named() -> None:
    with ScriptedBroker() as broker, session(broker) as (_, events):
        connect = (peer := broker.accept()).packet()
        # Section 3.1.2.11: of the properties there are three, and Topic Alias Maximum is none.
        assert connect[12] == 13
        assert {connect[13], connect[18], connect[21]} == {0x11, 0x21, 0x27}
        peer.send(CONNACK_NEW)
        peer.packet()
        alias = b"\x23\x00\x01"
        peer.send(publish(b"t", b"named", 1, properties=alias))
        frames = events.arrivals.get(timeout=10).frames
        assert [frame.payload for frame in frames] == [b"named"]
        peer.send(publish(b"", b"unnamed", 2, properties=alias))
        assert "topic aliases are not allowed" in events.states.get(timeout=10)
        assert peer.packet() == b""


def test_what_a_session_holds_at_qos_2_is_taken_with_pubrec_and_pubcomp() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        exact = publish(b"t", b"two", 8)
        peer = greet(broker, CONNACK_RESUMED, with_it=bytes([exact[0] ^ 0x06]) + exact[1:])
        peer.send(publish(b"t", b"one", 9))
        arrivals = events.arrivals.get(timeout=10)
        [frame] = arrivals.frames
        assert (frame.payload, frame.mid) == (b"two", 8)
        events.arrivals.get(timeout=10)
        assert made.acknowledge(arrivals.connection, [8, 9])
        assert peer.packet() == b"\x50\x02\x00\x08"
        assert peer.packet() == b"\x40\x02\x00\x09"
        peer.send(b"\x62\x02\x00\x08")
        assert peer.packet() == b"\x70\x02\x00\x08"
        # Of an earlier connection, whose PUBREC the broker has.
        peer.send(b"\x62\x03\x00\x07\x00")
        assert peer.packet() == b"\x70\x02\x00\x07"
        peer.send(publish(b"t", b"again", 8))
        again = events.arrivals.get(timeout=10)
        assert made.acknowledge(again.connection, [8])
        assert peer.packet() == b"\x40\x02\x00\x08"


def test_a_session_that_is_taken_over_is_told_waits_and_comes_back() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        before = time.monotonic()
        peer.send(b"\xe0\x01\x8e")
        assert events.states.get(timeout=10).startswith("refused: another client connected with")
        assert events.states.get(timeout=10) == "taken over"
        greet(broker, CONNACK_RESUMED)
        assert time.monotonic() - before > 0.29
        assert events.states.get(timeout=10) == "resumed"
        assert made.alive


@pytest.mark.parametrize(
    "packet",
    (
        b"\xe0\x01\x7f",
        b"\xe0\x03\x80\x05\x1f",
        b"\x90\x04\x00\x01\x00\x55",
        b"\x90\x00",
        b"\xb0\x04\x00\x01\x00\x55",
        b"\x20\x03\x00\x01\x00",
        b"\x20\x06\x00\x00\x03\x99\x99\x99",
        b"\x50\x01\x00",
        b"\x62\x00",
        b"\xf0\x02\x99\x00",
        b"\x00\x00",
    ),
)
def test_a_packet_that_cannot_be_understood_ends_no_thread(packet: bytes) -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        peer.send(packet)
        peer.close()
        peer = greet(broker, CONNACK_RESUMED)
        while events.states.get(timeout=10) != "resumed":
            pass
        assert made.alive


def test_more_than_1023_open_files_do_no_harm() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1400:
        pytest.skip(f"at most {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1400), hard))
    try:
        with ExitStack() as files:
            for _ in range(1030):
                files.enter_context(Path(os.devnull).open("rb"))
            with ScriptedBroker() as broker, session(broker) as (made, events):
                peer = greet(broker)
                assert events.states.get(timeout=10) == "new"
                peer.send(publish(b"t", b"one", 7))
                connection = events.arrivals.get(timeout=10).connection
                assert made.acknowledge(connection, [7])
                assert peer.packet() == b"\x40\x02\x00\x07"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_refused_connection_is_told_with_the_broker_s_words_and_tried_again() -> None:
    with ScriptedBroker() as broker, session(broker) as (_, events):
        for _attempt in range(2):
            peer = broker.accept()
            assert peer.packet()[0] == CONNECT
            peer.send(b"\x20\x03\x00\x87\x00")
            said = events.states.get(timeout=10)
            assert said.startswith("refused: it does not take a bridge without mqtt.username")
            assert said.endswith(": Not authorized")
            assert events.states.get(timeout=10).startswith("lost: ")
            peer.close()


def test_a_broker_that_hangs_up_without_an_answer_may_want_tls() -> None:
    with ScriptedBroker() as broker, session(broker) as (_, events):
        peer = broker.accept()
        peer.packet()
        peer.close()
        assert "before it answered; is it a TLS port" in events.states.get(timeout=10)


def test_after_pause_no_frame_is_taken() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = greet(broker)
        peer.send(publish(b"t", b"one", 1))
        first = events.arrivals.get(timeout=10)
        made.pause()
        peer.send(publish(b"t", b"two", 2))
        made.acknowledge(first.connection, [1])
        assert peer.packet() == b"\x40\x02\x00\x01"
        assert end(made, peer) == [PINGREQ, DISCONNECT]
        with pytest.raises(queue.Empty):
            events.arrivals.get_nowait()


def test_frames_that_were_passed_over_come_again_after_resume() -> None:
    with ScriptedBroker() as broker:
        events = Events()
        options = SessionOptions(
            address=Address("mqtt", "127.0.0.1", broker.port), client_id="b", filters=("t",)
        )
        made = Session(options, events, Backoff(first=0.001, longest=0.002), Log("test"))
        made.start(paused=True)
        peer = greet(broker, with_it=publish(b"t", b"early", 1))
        assert events.states.get(timeout=10) == "new"
        made.resume()
        assert peer.packet()[0] == DISCONNECT
        peer = greet(broker, CONNACK_RESUMED, with_it=publish(b"t", b"early", 1, duplicate=True))
        [frame] = events.arrivals.get(timeout=10).frames
        assert (frame.payload, frame.duplicate) == (b"early", True)
        assert events.states.get(timeout=10) == "resumed"
        broker.hang_up()
        made.close(10)


def test_resume_keeps_a_connection_on_which_nothing_was_passed_over() -> None:
    with ScriptedBroker() as broker:
        events = Events()
        options = SessionOptions(
            address=Address("mqtt", "127.0.0.1", broker.port), client_id="b", filters=("t",)
        )
        made = Session(options, events, Backoff(first=0.001, longest=0.002), Log("test"))
        made.start(paused=True)
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        made.resume()
        peer.send(publish(b"t", b"one", 1))
        assert events.arrivals.get(timeout=10).frames[0].payload == b"one"
        broker.hang_up()
        made.close(10)


@pytest.mark.parametrize("with_it", (b"", publish(b"t", b"late", 1)))
def test_an_answer_comes_behind_what_the_broker_had_sent(with_it: bytes) -> None:
    with (
        ScriptedBroker() as broker,
        session(broker) as (made, events),
        ThreadPoolExecutor(1) as pool,
    ):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        answers = pool.submit(made.answers, 10)
        assert peer.packet()[0] == PINGREQ
        peer.send(with_it + PINGRESP)
        assert answers.result()
        assert events.arrivals.qsize() == (1 if with_it else 0)


def test_a_connection_that_ends_is_no_answer() -> None:
    with (
        ScriptedBroker() as broker,
        session(broker) as (made, events),
        ThreadPoolExecutor(1) as pool,
    ):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        answers = pool.submit(made.answers, 10)
        assert peer.packet()[0] == PINGREQ
        peer.close()
        assert not answers.result()


def test_close_waits_for_no_answer_of_a_broker_that_hangs_up() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = greet(broker)
        assert events.states.get(timeout=10) == "new"
        with ThreadPoolExecutor(1) as pool:
            closed = pool.submit(made.close, 40)
            assert peer.packet()[0] == PINGREQ
            broker.hang_up()
            closed.result(20)
