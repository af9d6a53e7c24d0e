"""`isotherm-agent run`: puts the parts of a board together, and changes its probes at SIGHUP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from contract.errors import EXIT_FINE, SettingsError
from contract.topics import readings_topic
from edge_agent.board import Board
from edge_agent.connect import connect
from edge_agent.message import Fate
from edge_agent.outbox import MemoryOutbox, packets
from edge_agent.place import places
from edge_agent.publisher import Publisher
from edge_agent.sampler import Sampler
from edge_agent.schedule import Schedule
from edge_agent.settings import needs_restart, reloaded
from edge_agent.stamper import Stamper, new_epoch
from edge_agent.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contract.log import Log
    from edge_agent.sample import Sample
    from edge_agent.settings import AgentSettings


class Service:
    """The agent as it runs.

    Args:
        settings: as they were when it started.
        load: reads them again, at SIGHUP; raises `SettingsError`.
        log: of the program.
    """

    def __init__(
        self, settings: AgentSettings, load: Callable[[], AgentSettings], log: Log
    ) -> None:
        self._settings = settings
        self._load = load
        self._log = log
        self._link = connect(settings, client_id=settings.client_id)
        self._outbox = MemoryOutbox(max_rows=settings.max_rows, log=log)
        self._stamper = Stamper(destination=settings.destination, epoch=new_epoch())
        topic = readings_topic(settings.client_id)
        self._publisher = Publisher(
            self._link, self._outbox, topic=topic, window=settings.window, log=log
        )
        self._board = Board(
            self._sampler(),
            self._schedule(),
            keep=self._keep,
            outbox=self._outbox,
            publisher=self._publisher,
            link=self._link,
        )

    def run(self) -> int:
        """Read and publish until SIGINT or SIGTERM.

        Returns:
            The exit code, always 0: to be stopped is how this ends.
        """
        settings = self._settings
        topic = readings_topic(settings.client_id)
        with Stop(hangup=True) as stop:
            self._log.info("started", probes=len(settings.probes), topic=topic, mqtt=settings.mqtt)
            try:
                self._board.run(stop, self._reload)
                self._board.drain()
            finally:
                self._publisher.close()
        self._account()
        return EXIT_FINE

    def _keep(self, samples: Sequence[Sample]) -> None:
        self._outbox.put(packets(map(self._stamper.encode, samples)))

    def _reload(self) -> None:
        """Take over what may change while it runs: the probes, and where they are."""
        try:
            settings = self._load()
        except SettingsError as error:
            self._log.error("the new configuration is refused, the old one stays", why=str(error))
            return
        later = needs_restart(self._settings, settings)
        if later:
            self._log.warning("these settings need a restart", keys=",".join(later))
        self._settings = reloaded(self._settings, settings)
        before = self._board.sampler
        self._board.sampler = self._sampler(before)
        self._keep(before.close())
        self._board.schedule = self._schedule()
        self._log.info("configuration read again", probes=len(settings.probes))

    def _schedule(self) -> Schedule:
        intervals = [probe.interval for probe in self._settings.probes]
        return Schedule(intervals, time.monotonic())

    def _account(self) -> None:
        outbox = self._outbox
        facts = {
            "acknowledged": outbox.fates[Fate.DELIVERED],
            "nobody_got": outbox.fates[Fate.UNHEARD],
            "refused": outbox.fates[Fate.REFUSED],
            "dropped": outbox.dropped,
            "lost_from_memory": outbox.rows,
            "faults": self._board.sampler.faults,
        }
        troubles = ("refused", "dropped", "lost_from_memory", "nobody_got")
        bad = any(facts[trouble] for trouble in troubles)
        (self._log.warning if bad else self._log.info)("stopped", **facts)

    def _sampler(self, before: Sampler | None = None) -> Sampler:
        sampler = Sampler(
            places(self._settings),
            log=self._log,
            clock=time.time_ns,
            uptime=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        )
        if before is not None:
            sampler.faults = before.faults
        return sampler
