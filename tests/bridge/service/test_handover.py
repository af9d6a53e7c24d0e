"""From `--shards` to none and back: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import SessionsLeftError
from bridge.kafka.errors import FencedError, SinkClosingError
from bridge.kafka.find_notes import Found, Known
from bridge.kafka.session_notes import Note
from bridge.kafka.sink import MemorySink
from bridge.service.handover import Handover, others, to_end
from bridge.service.lane import Lane
from bridge.settings import PREFIX, BridgeSettings
from isotherm.log import Log, SharedAvailability
from isotherm.mqtt.topics import ALL_READINGS, readings_topic, shard_filter
from isotherm.settings.table import load
from isotherm.tasks import Tasks
from tests.bridge.mqtt.packets import CONNACK_RESUMED, PINGRESP, publish, suback
from tests.bridge.mqtt.scripted_broker import ScriptedBroker
from tests.bridge.readings import reading
from tests.support import (
    Publisher,
    await_true,
    forget_session,
    mqtt_client,
    program,
    topic_records,
    unique,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bridge.records import Batch
    from deploy.local import Stack
    from tests.support import Program

PINGREQ = 0xC0
NOW = 1_000_000.0
WHOLE = Note("b", sharded=False, filters=frozenset({ALL_READINGS}), expiry=600)
FIRST = Note("b", sharded=True, filters=frozenset(map(shard_filter, range(4))), expiry=600)

READ_NOTES = "bridge.kafka.kafka_python.read_notes.read_notes"


def ended(
    shards: str | None, found: dict[str, Note | None], *, ours: bool = False, at: float = NOW - 60
) -> dict[str, Note]:
    settings = load(BridgeSettings, PREFIX, flags={"shards": shards, "client_id": "b"})
    filters = (
        settings.subscribe if shards is None else list(map(shard_filter, settings.shards or ()))
    )
    known = {name: Known(note, at) for name, note in found.items()}
    return to_end(settings, filters, known, NOW, ours=ours)


def test_the_other_kind_has_the_plain_client_id_or_those_with_a_number() -> None:
    settings: Any = load(BridgeSettings, PREFIX, flags={"shards": "4-7", "client_id": "b"})
    assert list(others(settings)) == ["b"]
    settings = load(BridgeSettings, PREFIX, flags={"client_id": "b"})
    assert list(others(settings)) == [f"b-{group:02d}" for group in range(16)]
    assert others(settings)["b-15"] == set(map(shard_filter, range(60, 64)))


def test_where_nothing_was_noted_nothing_is_ended() -> None:
    assert ended(None, {}) == ended("0-63", {}) == {}


def test_the_session_without_shards_is_ended_by_whoever_has_all_shards() -> None:
    assert ended("0-63", {"b": WHOLE}) == {"b": WHOLE}
    with pytest.raises(SessionsLeftError, match="start one bridge with --shards 0-63"):
        ended("0-31", {"b": WHOLE})


def test_of_the_sessions_with_shards_those_that_wrote_nothing_lately_are_ended_too() -> None:
    found = ended(None, {"b-00": FIRST, "b-07": FIRST._replace(ended=True)})
    assert sorted(found) == [f"b-{group:02d}" for group in range(16) if group != 7]
    assert found["b-15"].filters == set(map(shard_filter, range(60, 64)))
    assert found["b-00"] == FIRST


@pytest.mark.parametrize(
    "note",
    (
        WHOLE._replace(ended=True),
        WHOLE._replace(expiry=30),
        WHOLE._replace(filters=frozenset({"tests/x"})),
        WHOLE._replace(bridge="other"),
        FIRST,
    ),
)
def test_what_doubles_nothing_is_left_alone(note: Note) -> None:
    assert ended("0-63", {"b": note}) == ended("0-31", {"b": note}) == {}


def test_another_bridge_whose_name_looks_like_a_shard_s_is_left_alone() -> None:
    assert ended(None, {"b-03": WHOLE._replace(bridge="b-03")}) == {}


def test_what_an_earlier_version_did_not_note_is_not_guessed() -> None:
    with pytest.raises(SessionsLeftError, match="start this version once"):
        ended("0-63", {"b": None})
    # Who ran as this kind before, too, goes on.
    assert ended("0-63", {"b": None}, ours=True) == {}
    # And what the broker has forgotten by now doubles nothing.
    assert ended("0-63", {"b": None}, at=NOW - 8 * 86_400) == {}


@pytest.mark.parametrize("late", (b"", publish(b"t", reading("a", 1), 1)))
def test_a_session_is_empty_only_once_the_broker_has_answered(
    late: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A large message on a slow line, or a connection that is just made again, is as quiet as a
    # queue that is empty; to end the session then would lose it.
    monkeypatch.setattr("bridge.service.lane.make_sink", lambda *_: MemorySink())
    log = Log("test")
    with ScriptedBroker() as broker, ThreadPoolExecutor(1) as pool:
        settings = load(BridgeSettings, PREFIX, flags={"mqtt": f"mqtt://127.0.0.1:{broker.port}"})
        lane = Lane(settings, SharedAvailability("kafka", log), log, Tasks(log), ending=WHOLE)
        lane.start()
        peer = broker.accept()
        peer.packet()
        peer.send(CONNACK_RESUMED)
        unsubscribe = peer.packet()
        peer.send(b"\xb0\x04" + unsubscribe[2:4] + b"\x00\x00")
        await_true(lambda: lane.left_behind.is_set() and lane.ready, "the session without filters")

        def empty(sent: bytes = b"") -> bool:
            answer = pool.submit(lane.is_empty, 10)
            assert peer.packet()[0] == PINGREQ
            peer.send(sent + PINGRESP)
            return answer.result()

        await_true(empty, "a lane that takes messages")
        assert empty(late) is not bool(late)
        broker.hang_up()
        assert not lane.is_empty(10)
        lane.stop(10)


@pytest.mark.parametrize("none_left", (True, False))
def test_that_the_other_kind_is_gone_is_noted_only_where_it_is(
    none_left: bool,  # noqa: FBT001 drawn by pytest
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.service.lane.make_sink", lambda *_: MemorySink())
    log = Log("test")
    with ScriptedBroker() as broker:
        settings = load(BridgeSettings, PREFIX, flags={"mqtt": f"mqtt://127.0.0.1:{broker.port}"})
        lane = Lane(
            settings,
            SharedAvailability("kafka", log),
            log,
            Tasks(log),
            before=lambda _: ([], none_left),
        )
        lane.start()
        await_true(lambda: lane.vitals().kafka, "a lane that has asked")
        broker.hang_up()
        lane.stop(10)
        assert lane.notebook.ours.alone is none_left


class _Turns(threading.Event):
    """Counts how often it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.turns += 1
        return super().wait(timeout)


def test_a_resumed_session_gets_its_new_filters_before_the_others_lose_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resumed = threading.Event()

    class LaterThanMqtt(MemorySink):
        def open(self) -> bytes:
            resumed.wait(10)
            return b""

    monkeypatch.setattr("bridge.service.lane.make_sink", lambda *_: LaterThanMqtt())
    log = Log("test")
    made: list[Note] = []

    def make(_settings: BridgeSettings, note: Note) -> Lane:
        made.append(note)
        raise SinkClosingError("enough")

    with ScriptedBroker() as broker:
        flags = {"mqtt": f"mqtt://127.0.0.1:{broker.port}", "client_id": "b"}
        settings = load(BridgeSettings, PREFIX, flags=flags)
        other = {"b-00": Known(FIRST, time.time())}
        monkeypatch.setattr(READ_NOTES, lambda *_: Found(other))
        handover = Handover(settings, make, log)
        handover.stopping = turns = _Turns()
        lane = Lane(settings, SharedAvailability("kafka", log), log, Tasks(log), before=handover)
        handover.lanes = [lane]
        lane.start()
        peer = broker.accept()
        peer.packet()
        peer.send(CONNACK_RESUMED)
        await_true(lambda: bool(lane.mqtt.available), "a session that queues as it is")
        resumed.set()
        subscribe = peer.packet()
        await_true(lambda: turns.turns > 3 or bool(made), "a handover that waits")
        assert not made
        peer.send(suback(int.from_bytes(subscribe[2:4], "big")))
        await_true(lambda: bool(made), "a handover that goes on")
        broker.hang_up()
        lane.stop(10)


def test_a_session_whose_client_id_another_bridge_took_is_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class TakenOver(MemorySink):
        def deliver(self, _batch: Batch) -> None:
            raise FencedError("b")

    forgotten: list[object] = []
    monkeypatch.setattr("bridge.service.lane.make_sink", lambda *_: TakenOver())
    monkeypatch.setattr(
        "bridge.service.lane.forget", lambda options, _timeout: forgotten.append(options)
    )
    log = Log("test")
    with ScriptedBroker() as broker:
        settings = load(BridgeSettings, PREFIX, flags={"mqtt": f"mqtt://127.0.0.1:{broker.port}"})
        lane = Lane(settings, SharedAvailability("kafka", log), log, Tasks(log), ending=WHOLE)
        lane.start()
        broker.accept().send(CONNACK_RESUMED)
        await_true(lambda: lane.ready, "a lane that takes messages")
        assert not lane.finish(10)
        assert isinstance(lane.failure, FencedError)
        assert not forgotten
        broker.hang_up()
        lane.stop(10)


class Site:
    """A topic, a client id, and devices of one test."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.topic, self.client = unique("handover"), unique("b")
        self.devices = [unique("device") for _ in range(12)]
        self.sent: list[bytes] = []
        self._lock = threading.Lock()
        stack.create_topics(self.topic, f"{self.topic}.dead-letter", partitions=3)

    def bridge(self, *more: str) -> AbstractContextManager[Program]:
        where = ("--mqtt", self.stack.mqtt, "--kafka", self.stack.kafka, "--topic", self.topic)
        return program("bridge", "run", *where, "--client-id", self.client, *more)

    def publish(self, publisher: Publisher, count: int) -> None:
        for _ in range(count):
            number = len(self.sent)
            device = self.devices[number % len(self.devices)]
            payload = reading(device, number + 1)
            self.sent.append(payload)
            publisher.publish(readings_topic(device), [payload])

    def values(self) -> list[bytes]:
        # Other tests' devices publish to the same filters.
        ours = tuple(device.encode() for device in self.devices)
        return [
            kept.value for kept in topic_records(self.stack.kafka, self.topic) if kept.key in ours
        ]

    def forget(self) -> None:
        for name in (self.client, *(f"{self.client}-{group:02d}" for group in range(16))):
            forget_session(self.stack.mqtt, name)


@pytest.mark.integration
@pytest.mark.parametrize(("client", "version"), (("librdkafka", "5"), ("kafka-python", "3.1.1")))
def test_from_one_session_to_shards_and_back_loses_and_doubles_nothing(
    stack: Stack, client: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOTHERM_BRIDGE_MQTT_VERSION", version)
    site = Site(stack)
    kinds: list[tuple[str, ...]] = [(), ("--shards", "0-63"), (), ("--shards", "0-63")]
    with Publisher(stack.mqtt) as publisher, mqtt_client(stack) as keeper:
        # One that the broker keeps, and sends again to each new subscription.
        site.sent.append(reading(site.devices[0], 1))
        kept = readings_topic(site.devices[0])
        for number, kind in enumerate(kinds):
            if not number:
                keeper.publish(kept, site.sent[0], qos=1, retain=True).wait_for_publish(30)
            # Some while it is away, some while it starts, some while it runs.
            if number:
                site.publish(publisher, 100)
            stop = threading.Event()
            flow = threading.Thread(target=_flow, args=(site, publisher, stop), daemon=True)
            with site.bridge("--kafka-client", client, *kind) as bridge:
                if number:
                    flow.start()
                bridge.await_line("ready")
                stop.set()
                if number:
                    flow.join(30)
                site.publish(publisher, 100)
                publisher.finish()
                await_true(lambda: len(site.values()) >= len(site.sent), "all readings in Kafka")
                assert bridge.end(signal.SIGKILL if number == 1 else signal.SIGTERM) in (0, -9)
                ended = [line for line in bridge.lines if "session ended" in line]
                assert len(ended) == (0 if not number else 1 if kind else 16)
        keeper.publish(kept, b"", qos=1, retain=True).wait_for_publish(30)
    site.forget()
    found = site.values()
    assert len(found) == len(site.sent)
    for device in site.devices:
        mine = [value for value in found if device.encode() in value]
        assert mine == [value for value in site.sent if device.encode() in value]


def _flow(site: Site, publisher: Publisher, stop: threading.Event) -> None:
    while not stop.wait(0.01):
        site.publish(publisher, 1)


@pytest.mark.integration
def test_a_part_of_the_shards_does_not_take_over_from_one_session(stack: Stack) -> None:
    site = Site(stack)
    with site.bridge() as bridge:
        bridge.await_line("ready")
        assert bridge.end() == 0
    for _ in range(2):
        with site.bridge("--shards", "0-31") as bridge:
            assert bridge.process.wait(60) == 2
            bridge.end()
            assert "start one bridge with --shards 0-63" in bridge.lines[-1]
    with site.bridge() as bridge:
        bridge.await_line("ready")
        assert bridge.end() == 0
    site.forget()


@pytest.mark.integration
@pytest.mark.parametrize("version", ("5", "3.1.1"))
def test_filters_that_were_removed_deliver_no_more_but_what_they_hold(
    stack: Stack, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOTHERM_BRIDGE_MQTT_VERSION", version)
    site = Site(stack)
    old, new = f"tests/{site.client}/old", f"tests/{site.client}/new"
    with Publisher(stack.mqtt) as publisher:
        with site.bridge("--subscribe", f"{old}/#", "--subscribe", new) as bridge:
            bridge.await_line("ready")
            assert bridge.end() == 0
        device = site.devices[0]
        publisher.publish(f"{old}/1", [reading(device, 1)])
        publisher.finish()
        with site.bridge("--subscribe", new) as bridge:
            bridge.await_line("ready")
            await_true(lambda: len(site.values()) == 1, "what was held")
            publisher.publish(f"{old}/1", [reading(device, 2)])
            publisher.publish(new, [reading(device, 3)])
            publisher.finish()
            await_true(lambda: reading(device, 3) in site.values(), "what comes now")
            assert bridge.end() == 0
        publisher.publish(f"{old}/1", [reading(device, 4)])
        with site.bridge("--subscribe", new) as bridge:
            bridge.await_line("ready")
            publisher.publish(new, [reading(device, 5)])
            publisher.finish()
            await_true(lambda: reading(device, 5) in site.values(), "what comes then")
            assert bridge.end() == 0
    assert site.values() == [reading(device, number) for number in (1, 3, 5)]


@pytest.mark.integration
def test_a_session_that_another_client_erased_is_an_error_a_count_and_a_time(stack: Stack) -> None:
    site = Site(stack)
    with site.bridge() as bridge:
        bridge.await_line("ready")
        assert bridge.end() == 0
        assert not [line for line in bridge.lines if "session lost" in line]
    forget_session(stack.mqtt, site.client)
    with site.bridge() as bridge:
        line = bridge.await_line("mqtt session lost")
        assert " error " in line
        assert site.client in line
        bridge.await_line("ready")
        forget_session(stack.mqtt, site.client)
        bridge.await_line("mqtt session lost")
        assert bridge.end() == 0
    with site.bridge() as bridge:
        bridge.await_line("ready")
        assert bridge.end() == 0
        assert not [line for line in bridge.lines if "session lost" in line]
    site.forget()
