from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bridge.service.service import lane_settings
from bridge.settings import PREFIX, SHARDS_IN_GROUP, BridgeSettings
from isotherm.mqtt.topics import SHARDS, readings_topic, shard
from isotherm.settings.table import load
from tests.bridge.readings import reading
from tests.support import (
    Publisher,
    await_true,
    forget_session,
    program,
    topic_records,
    unique,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deploy.local import Stack
    from tests.support import Program

DEVICES = [f"device-{number}" for number in range(40)]


def lanes(shards: str | None) -> list[BridgeSettings]:
    return lane_settings(load(BridgeSettings, PREFIX, flags={"shards": shards, "client_id": "b"}))


def test_without_shards_there_is_one_lane_for_all_filters() -> None:
    [lane] = lanes(None)
    assert (lane.client_id, lane.subscribe) == ("b", ("isotherm/v1/readings/#",))


def test_a_group_of_shards_has_the_same_session_whichever_bridge_holds_it() -> None:
    everything = {lane.client_id: lane.subscribe for lane in lanes("0-63")}
    assert len(everything) == SHARDS // SHARDS_IN_GROUP
    filters = [name for names in everything.values() for name in names]
    assert filters == [f"isotherm/v1/readings/{number:02d}/#" for number in range(SHARDS)]
    for division in (("0-31", "32-63"), ("0-19", "20-43", "44-63")):
        divided = {lane.client_id: lane.subscribe for part in division for lane in lanes(part)}
        assert divided == everything


class Fleet:
    """Devices that publish until told to stop, each its own sequence."""

    def __init__(self, mqtt: str, guids: dict[str, str]) -> None:
        self.sent: dict[str, int] = dict.fromkeys(DEVICES, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(mqtt, guids))
        self._thread.start()

    def _run(self, mqtt: str, guids: dict[str, str]) -> None:
        with Publisher(mqtt) as publisher:
            while not self._stop.is_set():
                for device in DEVICES:
                    self.sent[device] += 1
                    payload = reading(guids[device], self.sent[device])
                    publisher.publish(readings_topic(device), [payload])
            publisher.finish()

    def stop(self) -> int:
        """How many readings were acknowledged."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return sum(self.sent.values())

    def await_sent(self, more: int) -> None:
        goal = sum(self.sent.values()) + more
        await_true(lambda: sum(self.sent.values()) >= goal, f"{more} more readings to be sent")


@pytest.mark.integration
def test_from_two_bridges_to_three_and_back_under_load_loses_and_doubles_nothing(
    stack: Stack,
) -> None:
    topic, client = unique("shards"), unique("b")
    stack.create_topics(topic, f"{topic}.dead-letter", partitions=4)
    guids = {device: unique(device) for device in DEVICES}
    assert len({shard(device) // SHARDS_IN_GROUP for device in DEVICES}) > 8

    def bridge(shards: str) -> AbstractContextManager[Program]:
        where = ("--mqtt", stack.mqtt, "--kafka", stack.kafka, "--topic", topic)
        return program("bridge", "run", *where, "--client-id", client, "--shards", shards)

    with ExitStack() as running:
        low = running.enter_context(bridge("0-31"))
        high = running.enter_context(bridge("32-63"))
        low.await_line("ready")
        high.await_line("ready")
        fleet = Fleet(stack.mqtt, guids)
        try:
            fleet.await_sent(500)
            # A third takes over lanes of both; the two go on with what is left.
            middle = running.enter_context(bridge("20-43"))
            middle.await_line("ready")
            for _ in range(3):
                low.await_line("lane ended")
                high.await_line("lane ended")
            fleet.await_sent(500)
            # And back: whoever starts with its old shards takes them from the third, which ends.
            assert low.end() == 0
            low = running.enter_context(bridge("0-31"))
            low.await_line("ready")
            assert high.end() == 0
            high = running.enter_context(bridge("32-63"))
            high.await_line("ready")
            assert middle.process.wait(60) == 1
            fleet.await_sent(500)
        finally:
            sent = fleet.stop()
        await_true(lambda: len(topic_records(stack.kafka, topic)) >= sent, "all readings in Kafka")
        assert low.end() == 0
        assert high.end() == 0
    # Their filters are those of real devices, which other tests play.
    for group in range(SHARDS // SHARDS_IN_GROUP):
        forget_session(stack.mqtt, f"{client}-{group:02d}")
    found: dict[str, list[int]] = {guid: [] for guid in guids.values()}
    for kept in topic_records(stack.kafka, topic):
        assert kept.key is not None
        found[kept.key.decode()].append(json.loads(kept.value)["origin"]["seq"])
    for device, count in fleet.sent.items():
        assert found[guids[device]] == list(range(1, count + 1)), device
