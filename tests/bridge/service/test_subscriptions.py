"""What a session asks for, what it gives up, and what a broker makes of that."""

from __future__ import annotations

import pytest

from tests.bridge.mqtt.packets import CONNACK_NEW, CONNACK_RESUMED, publish, suback
from tests.bridge.mqtt.scripted_broker import ScriptedBroker
from tests.bridge.mqtt.test_session import SUBSCRIBE, session

UNSUBSCRIBE = 0xA2


def test_a_refused_subscription_is_tried_again_and_what_is_granted_is_kept() -> None:
    with ScriptedBroker() as broker, session(broker, filters=("a", "b")) as (made, events):
        peer = broker.accept()
        peer.packet()
        peer.send(CONNACK_NEW)
        mid = peer.packet()[2:4]
        peer.send(b"\x90\x05" + mid + b"\x00\x01\x87")
        assert events.states.get(timeout=10) == (
            "refused: it refuses a subscription: b: Not authorized"
        )
        assert "refuses the subscription to b" in made.faults["b"]
        peer.send(publish(b"a", b"marker"))
        assert events.arrivals.get(timeout=10).frames[0].payload == b"marker"
        again = peer.packet()
        assert again[0] == SUBSCRIBE
        assert again[5:8] == b"\x00\x01b"
        peer.send(suback(int.from_bytes(again[2:4], "big")))
        assert events.states.get(timeout=10) == "new"
        assert made.faults == {}
        assert events.settled.wait(10)


def test_a_suback_without_an_answer_for_a_filter_grants_nothing() -> None:
    with ScriptedBroker() as broker, session(broker, filters=("a", "b")) as (made, events):
        peer = broker.accept()
        peer.packet()
        peer.send(CONNACK_NEW)
        peer.send(suback(int.from_bytes(peer.packet()[2:4], "big")))
        assert events.states.get(timeout=10).startswith("refused: it refuses a subscription: b: ")
        assert list(made.faults) == ["b"]


def test_a_suback_that_answers_no_question_grants_nothing() -> None:
    with ScriptedBroker() as broker, session(broker) as (_, events):
        peer = broker.accept()
        peer.packet()
        peer.send(CONNACK_NEW)
        mid = int.from_bytes(peer.packet()[2:4], "big")
        peer.send(suback(mid + 1) + publish(b"t", b"marker"))
        assert events.arrivals.get(timeout=10).frames[0].payload == b"marker"
        assert events.states.empty()
        peer.send(suback(mid))
        assert events.states.get(timeout=10) == "new"


def test_a_grant_of_qos_0_is_a_fault() -> None:
    with ScriptedBroker() as broker, session(broker) as (made, events):
        peer = broker.accept()
        peer.packet()
        peer.send(CONNACK_NEW)
        peer.send(suback(int.from_bytes(peer.packet()[2:4], "big"), reason=0))
        assert events.states.get(timeout=10) == "new"
        [fault] = made.faults.values()
        assert "grants only QoS 0 for isotherm/v1/readings/#" in fault
        assert not events.settled.is_set()


@pytest.mark.parametrize("version", (5, 3))
def test_filters_that_were_removed_are_given_up(version: int) -> None:
    stale = frozenset(f"old/{n}" for n in range(9))
    with (
        ScriptedBroker() as broker,
        session(broker, asks=True, version=version, filters=("new",)) as (made, events),
    ):
        peer = broker.accept()
        peer.packet()
        peer.send(CONNACK_RESUMED if version == 5 else b"\x20\x02\x01\x00")
        # It queues as it is: until it is known what it holds, nothing is asked for.
        assert events.states.get(timeout=10) == "resumed"
        made.settle(frozenset(), stale)
        subscribe = peer.packet()
        assert subscribe[0] == SUBSCRIBE
        first, second = peer.packet(), peer.packet()
        assert {first[0], second[0]} == {UNSUBSCRIBE}
        assert {name.decode() for name in first.split(b"\x00\x05")[1:]} | {
            name.decode() for name in second.split(b"\x00\x05")[1:]
        } == stale
        mid = int.from_bytes(subscribe[2:4], "big")
        peer.send(suback(mid) if version == 5 else b"\x90\x03" + subscribe[2:4] + b"\x01")
        for each, count in ((first, 8), (second, 1)):
            assert not events.settled.is_set()
            codes = b"\x00" + bytes(count) if version == 5 else b""
            peer.send(bytes([0xB0, 2 + len(codes)]) + each[2:4] + codes)
        assert events.settled.wait(10)


def test_with_3_1_1_a_resumed_session_does_not_subscribe_to_what_it_holds() -> None:
    # MQTT-3.8.4-3: the broker would send every retained message again.
    resumed = b"\x20\x02\x01\x00"
    with (
        ScriptedBroker() as broker,
        session(broker, asks=True, version=3, filters=("a", "b")) as (made, events),
    ):
        made.settle(frozenset({"a", "b"}), frozenset())
        peer = broker.accept()
        peer.packet()
        peer.send(resumed)
        assert events.settled.wait(10)
        peer.send(publish(b"t", b"one", 7, properties=None))
        connection = events.arrivals.get(timeout=10).connection
        assert made.acknowledge(connection, [7])
        assert peer.packet() == b"\x40\x02\x00\x07"
        peer.close()
        # The broker forgot it: now all of them are asked for, and after that none.
        peer = broker.accept()
        peer.packet()
        peer.send(b"\x20\x02\x00\x00")
        subscribe = peer.packet()
        assert subscribe[0] == SUBSCRIBE
        peer.send(b"\x90\x04" + subscribe[2:4] + b"\x01\x01")
        while events.states.get(timeout=10) != "new":
            pass
        peer.close()
        peer = broker.accept()
        peer.packet()
        peer.send(resumed + publish(b"t", b"two", 8, properties=None))
        connection = events.arrivals.get(timeout=10).connection
        assert made.acknowledge(connection, [8])
        assert peer.packet() == b"\x40\x02\x00\x08"
