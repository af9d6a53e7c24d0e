"""A pump on the in-memory sink, and a broker that notes PUBACKs."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.kafka.positions import Positions
from bridge.monitoring.stats import Stats
from bridge.mqtt.framing import Frame
from bridge.pump.pump import Bounds, Pump
from isotherm.backoff import Backoff
from isotherm.log import Availability, Log
from tests.bridge.readings import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.kafka.sink import MemorySink
    from bridge.mqtt.backpressure import Backpressure
    from bridge.mqtt.client import Arrivals

NOW = 1_479_302_799_447_974_000


@dataclass
class Broker:
    """Notes PUBACKs; `connection` is the one that lives."""

    sink: MemorySink
    connection: int = 1
    acknowledged: list[int] = field(default_factory=list)
    delivered_before: list[int] = field(default_factory=list)
    upto: list[int] = field(default_factory=list)
    """How many were acknowledged after each time."""

    def acknowledge(self, connection: int, mids: Sequence[int], /) -> bool:
        if connection != self.connection:
            return False
        self.acknowledged += mids
        self.upto.append(len(self.acknowledged))
        self.delivered_before.append(len(self.sink.readings) + len(self.sink.dead_letters))
        return True


def make(
    sink: MemorySink,
    *,
    at_least_once: bool = False,
    stopping: threading.Event | None = None,
    backpressure: Backpressure | None = None,
    bounds: Bounds | None = None,
) -> tuple[Pump, Broker, Stats]:
    broker = Broker(sink)
    stats = Stats()
    log = Log("test")
    pump = Pump(
        sink=sink,
        acknowledge=broker.acknowledge,
        kafka=Availability("kafka", log),
        backoff=Backoff(first=0.001, longest=0.002, draw=random.Random(0)),
        now=lambda: NOW,
        stats=stats,
        log=log,
        positions=None if at_least_once else Positions(),
        on_open=lambda: None,
        stopping=stopping or threading.Event(),
        backpressure=backpressure,
        bounds=bounds or Bounds(),
    )
    return pump, broker, stats


def move(pump: Pump, arrivals: list[Arrivals]) -> None:
    """As the pump's thread would, once the network thread has handed all this over."""
    for some in arrivals:
        pump.arrived(some)
    pump.move(pump.take())


def frame(mid: int, payload: bytes | None = None, *, duplicate: bool = False) -> Frame:
    body = reading("a", mid or 1) if payload is None else payload
    return Frame(b"isotherm/v1/readings/07/pi", body, mid, duplicate, retained=False)
