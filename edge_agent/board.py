"""The main loop of a board: one thread turns its parts, and sleeps until one of them has news."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.mqtt import MqttLink
    from edge_agent.outbox import MemoryOutbox
    from edge_agent.publisher import Publisher
    from edge_agent.sample import Sample
    from edge_agent.sampler import Sampler
    from edge_agent.schedule import Schedule
    from edge_agent.stop import Stop

LAST_WAIT: Final = 2.0
"""Seconds for which the outbox is emptied after SIGTERM, if the broker is there."""


class Duty(Protocol):
    """Something that wants to be looked after once in a while."""

    def turn(self, now: float) -> float:
        """Do what is due at `now`, seconds of the monotonic clock; never blocks.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        ...


class Board:
    """What turns; see `run`.

    Args:
        sampler: reads the probes.
        schedule: says which are due.
        keep: takes what they gave, on its way to the outbox.
        outbox: what the publisher sends.
        publisher: sends it.
        link: the connection, to wait on.
        duties: what else wants its turn; they come before the publisher.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        sampler: Sampler,
        schedule: Schedule,
        *,
        keep: Callable[[Sequence[Sample]], None],
        outbox: MemoryOutbox,
        publisher: Publisher,
        link: MqttLink,
        duties: Sequence[Duty] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sampler = sampler
        self.schedule = schedule
        self._keep = keep
        self._outbox = outbox
        self._publisher = publisher
        self._link = link
        self._duties = duties
        self._clock = clock

    def run(self, stop: Stop, reload: Callable[[], None]) -> None:
        """Read and publish until SIGINT or SIGTERM; call `reload` at each SIGHUP."""
        while stop.signal is None:
            if stop.hung_up():
                reload()
            now = self._clock()
            self.sampler.start(self.schedule.due(now))
            self._keep(self.sampler.collect())
            timeout = self._turn(now)
            look = min(self.schedule.next_tick, self.sampler.next_look) - self._clock()
            self._link.wait(min(timeout, look), stop.fileno(), self.sampler.fileno())
        self._keep(self.sampler.close())

    def drain(self) -> None:
        """Empty the outbox for `LAST_WAIT` seconds at most, while the broker takes it."""
        deadline = self._clock() + LAST_WAIT
        while self._outbox.rows and self._publisher.connected:
            now = self._clock()
            if now >= deadline:
                break
            self._link.wait(min(self._turn(now), deadline - now))

    def _turn(self, now: float) -> float:
        times = [duty.turn(now) for duty in self._duties]
        return min([self._publisher.turn(), *times])
