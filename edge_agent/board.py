"""The main loop of a board: one thread turns its parts, and sleeps until one of them has news."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.mqtt.client import MqttLink
    from edge_agent.mqtt.publisher import Publisher
    from edge_agent.sample import Sample
    from edge_agent.sampler import Sampler
    from edge_agent.schedule import Schedule
    from edge_agent.stop import Stop


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
        publisher: sends them, and the notices.
        link: the connection, to wait on.
        clock: seconds, monotonic.

    Attributes:
        duties: what else wants its turn; they come before the publisher.
        wakers: descriptors that can be read when a duty has something to do.
    """

    def __init__(
        self,
        sampler: Sampler,
        schedule: Schedule,
        *,
        keep: Callable[[Sequence[Sample]], None],
        publisher: Publisher,
        link: MqttLink,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sampler = sampler
        self.schedule = schedule
        self._keep = keep
        self._publisher = publisher
        self._link = link
        self.duties: Sequence[Duty] = ()
        self.wakers: Sequence[int] = ()
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
            self._link.wait(min(timeout, look), stop.fileno(), self.sampler.fileno(), *self.wakers)
        self._keep(self.sampler.close())

    def drain(self, until: Callable[[], bool], seconds: float) -> bool:
        """Go on sending, without reading, while the broker takes it.

        Returns:
            Whether `until` came true within so many seconds.
        """
        deadline = self._clock() + seconds
        while not until():
            now = self._clock()
            if now >= deadline or not self._publisher.connected:
                return False
            self._link.wait(min(self._turn(now), deadline - now), *self.wakers)
        return True

    def _turn(self, now: float) -> float:
        times = [duty.turn(now) for duty in self.duties]
        return min([self._publisher.turn(), *times])
