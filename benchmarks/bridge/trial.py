"""One run of one contender: what it moved, how fast, and what that cost."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.bridge.contenders import Contender, Task
from benchmarks.bridge.plain import client
from benchmarks.bridge.publisher import publish
from benchmarks.bridge.verify import Topic, Verdict, judge
from benchmarks.usage import cpu, peak
from deploy.errors import ProgramFailedError
from deploy.local.process import Child, Guard, log_tail

if TYPE_CHECKING:
    from benchmarks.bridge.rig import Rig

PARTITIONS: Final = 4
_LOOK_EVERY: Final = 0.05
_STALLED_S: Final = 60.0
_WAIT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is to be moved, and under which window.

    Attributes:
        name: for people.
        readings: how many.
        per_message: readings in one MQTT message.
        window: the contender's Receive Maximum.
        live: whether they are published while the contender runs; else they are queued before.
    """

    name: str
    readings: int
    per_message: int = 1
    window: int = 1_000
    live: bool = False


class Result(NamedTuple):
    """What one run gave.

    Attributes:
        rate: readings per second.
        cpu: seconds of CPU per million readings.
        memory: peak, MB.
        verdict: what stood in Kafka.
    """

    rate: float
    cpu: float
    memory: float
    verdict: Verdict


class _Look(NamedTuple):
    time: float
    cpu: float
    written: int


def run(
    rig: Rig, scenario: Scenario, contender: Contender, packets: list[bytes], number: int
) -> Result:
    """Run one contender once.

    Args:
        rig: where.
        scenario: what it is to do.
        contender: who.
        packets: the scenario's messages, see `publisher.chunks`.
        number: of the run; each has topics and a session of its own.

    Raises:
        ProgramFailedError: it ended, or stopped moving anything.
    """
    name = f"bench-{number}"
    rig.create_topics(name, partitions=PARTITIONS)
    rig.create_topics(f"{name}.dead-letter")
    task = Task(rig.mqtt_port, rig.kafka, name, name, scenario.window)
    topic = Topic(rig.kafka, name, PARTITIONS)
    _make_session(task)
    count = scenario.readings // scenario.per_message
    publisher = threading.Thread(target=publish, args=(task.mqtt_port, packets, count))
    if not scenario.live:
        publisher.start()
        publisher.join()
    guard = Guard()
    log = rig.data / f"{name}.log"
    child = Child(contender.name, contender.command(task), log=log, guard=guard)
    try:
        if scenario.live:
            _await_idle(child.pid)
            publisher.start()
        looks = _watch(child, topic, scenario.readings)
        memory = peak(child.pid)
    finally:
        child.stop(kill=contender.name.startswith("plain"))
        guard.close()
    records = topic.values()
    topic.close()
    _drop_session(task)
    # Markers of transactions are offsets, too, but no readings.
    share = len(records) / looks[-1].written
    moved = (looks[-1].written - looks[0].written) * share
    return Result(
        rate=moved / (looks[-1].time - looks[0].time),
        cpu=(looks[-1].cpu - looks[0].cpu) / moved * 1e6,
        memory=memory,
        verdict=judge(records, scenario.readings),
    )


def _watch(child: Child, topic: Topic, readings: int) -> tuple[_Look, _Look]:
    """The first look at which something had arrived, and the first of those that saw the end."""
    first: _Look | None = None
    last = _look(child.pid, topic)
    while True:
        time.sleep(_LOOK_EVERY)
        now = _look(child.pid, topic)
        if first is None and now.written:
            first = now
        if now.written != last.written:
            last = now
        elif last.written >= readings and now.time - last.time > 1.0:
            assert first is not None
            return first, last
        if child.ended() is not None or now.time - last.time > _STALLED_S:
            raise ProgramFailedError(
                f"{child.name}: {child.fate()}, {last.written} of {readings} written",
                log_tail(child.log),
            )


def _look(pid: int, topic: Topic) -> _Look:
    written = topic.written()
    return _Look(time.monotonic(), cpu(pid), written)


def _await_idle(pid: int) -> None:
    """Until a program has started: it has used CPU, and uses none any more."""
    before = -1.0
    while (now := cpu(pid)) == 0.0 or now > before + 0.01:
        before = now
        time.sleep(0.5)


def _make_session(task: Task) -> None:
    """Have the broker queue what is published from now on."""
    subscribed = threading.Event()
    mqtt, properties = client(task.client_id, task.window, None)
    mqtt.on_subscribe = lambda *_: subscribed.set()
    mqtt.connect("127.0.0.1", task.mqtt_port, clean_start=False, properties=properties)
    mqtt.loop_start()
    if not subscribed.wait(_WAIT_S):
        raise ProgramFailedError("the MQTT broker does not answer a subscription")
    mqtt.disconnect()
    mqtt.loop_stop()


def _drop_session(task: Task) -> None:
    mqtt, _properties = client(task.client_id, task.window, None)
    connected = threading.Event()
    mqtt.on_connect = lambda *_: connected.set()
    mqtt.connect("127.0.0.1", task.mqtt_port, clean_start=True)
    mqtt.loop_start()
    connected.wait(_WAIT_S)
    mqtt.disconnect()
    mqtt.loop_stop()
