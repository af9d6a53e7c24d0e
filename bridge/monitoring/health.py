"""Whether the bridge turns, and whether it forwards: judged from the vitals of its lanes."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.monitoring.stats import Stats
    from isotherm.settings.address import Address

_FRESH_S: Final = 2.0
_CONNECT_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The state of one lane (session, pump, sink) at one moment.

    Attributes:
        client_id: names the lane.
        stats: its counts, which go on.
        pumping: the pump's thread lives.
        listening: the session's thread lives, connected or not.
        subscribed: connected to the MQTT broker and subscribed.
        kafka: Kafka was reached, and took what was delivered last.
        faults: what else is not as it must be, a sentence each.
    """

    client_id: str
    stats: Stats
    pumping: bool
    listening: bool
    subscribed: bool
    kafka: bool
    faults: tuple[str, ...] = ()


def stuck(lanes: Sequence[Vitals]) -> list[str]:
    """Why the process must be started again, one sentence each; empty while it turns.

    A service that is away is no reason: the bridge goes on by itself once it is back.
    """
    threads = (
        ("the pump's thread", [lane.client_id for lane in lanes if not lane.pumping]),
        ("the MQTT session's thread", [lane.client_id for lane in lanes if not lane.listening]),
    )
    return [f"{what} of {', '.join(ids)} has ended" for what, ids in threads if ids]


def missing(lanes: Sequence[Vitals], *, kafka: bool, tasks: Sequence[str] = ()) -> list[str]:
    """What keeps messages from being forwarded, one sentence each; empty when ready.

    Args:
        lanes: all of the bridge.
        kafka: whether a Kafka broker answers just now (see `Reach`).
        tasks: of threads that have ended (see `isotherm.tasks`).
    """
    found = [*stuck(lanes), *tasks]
    found += [f"{lane.client_id}: {fault}" for lane in lanes for fault in lane.faults]
    unsubscribed = [lane.client_id for lane in lanes if not lane.subscribed]
    if unsubscribed:
        found.append(f"not subscribed at the MQTT broker: {', '.join(unsubscribed)}")
    if not kafka:
        found.append("no Kafka broker takes connections")
    elif not all(lane.kafka for lane in lanes):
        found.append("Kafka does not take what is delivered, or was never reached; see the log")
    return found


class Reach:
    """Whether one of some brokers takes TCP connections; from any thread.

    An idle bridge writes nothing, and so would not see that Kafka is gone.

    Args:
        brokers: where to connect, in this order.
        clock: seconds, monotonic; an answer is kept for 2 s.
    """

    def __init__(
        self, brokers: Sequence[Address], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._brokers = brokers
        self._clock = clock
        self._lock = threading.Lock()
        self._until = -float("inf")
        self._answer = False

    def __call__(self) -> bool:
        """Connect, or repeat a fresh answer; takes 1 s for each broker that is silent at most."""
        with self._lock:
            if self._clock() >= self._until:
                self._answer = any(map(_answers, self._brokers))
                self._until = self._clock() + _FRESH_S
            return self._answer


def _answers(broker: Address) -> bool:
    try:
        with socket.create_connection((broker.host, broker.port), _CONNECT_S):
            return True
    except OSError:
        return False
