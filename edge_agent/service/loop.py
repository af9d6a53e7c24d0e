"""The main loop of a board: one thread turns its parts, and sleeps until one of them has news."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.mqtt.client import MqttLink
    from edge_agent.mqtt.publisher import Publisher
    from edge_agent.reporting.guarded import Duty
    from edge_agent.sampling.sample import Sample
    from edge_agent.sampling.sampler import Sampler
    from edge_agent.service.signals import Stop


class Loop:
    """What turns; see `run`.

    Args:
        sampler: reads the probes.
        keep: takes what they gave, on its way to the outbox.
        publisher: sends them, and the notices.
        link: the connection, to wait on.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        keep: Callable[[Sequence[Sample]], None],
        publisher: Publisher,
        link: MqttLink,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sampler = sampler
        self._keep = keep
        self._publisher = publisher
        self._link = link
        self._duties: Sequence[Duty] = ()
        self._wakers: Sequence[int] = ()
        self._clock = clock

    @property
    def sampler(self) -> Sampler:
        """What reads the probes; another one after each reload."""
        return self._sampler

    def replace_sampler(self, sampler: Sampler) -> None:
        """Read with another one from now on; what the one before still has goes to the outbox."""
        before, self._sampler = self._sampler, sampler
        self._keep(before.close())

    def attend(self, duties: Sequence[Duty], wakers: Sequence[int] = ()) -> None:
        """Give these their turn from now on, before the publisher.

        Args:
            duties: in this order.
            wakers: descriptors that can be read when a duty has something to do.
        """
        self._duties, self._wakers = duties, wakers

    def run(self, stop: Stop, reload: Callable[[], None]) -> None:
        """Read and publish until SIGINT or SIGTERM; call `reload` at each SIGHUP."""
        while stop.signal is None:
            if stop.hung_up():
                reload()
            now = self._clock()
            sampler = self._sampler
            sampler.start(sampler.due(now))
            self._keep(sampler.collect())
            timeout = self._turn(now)
            look = min(sampler.next_tick, sampler.next_look) - self._clock()
            self._link.wait(min(timeout, look), stop.fileno(), sampler.fileno(), *self._wakers)
        self._keep(self._sampler.close())

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
            self._link.wait(min(self._turn(now), deadline - now), *self._wakers)
        return True

    def _turn(self, now: float) -> float:
        times = [duty.turn(now) for duty in self._duties]
        return min([self._publisher.turn(), *times])
