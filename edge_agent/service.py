"""`isotherm-agent run`: puts the parts of a board together, and changes its probes at SIGHUP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from edge_agent.board import Board
from edge_agent.clock import SystemClock, boot_id
from edge_agent.facts import Facts
from edge_agent.guarded import Guarded, Idle
from edge_agent.home_assistant import HomeAssistant, Sensor
from edge_agent.mqtt.broker.note import BrokerNotes
from edge_agent.mqtt.broker.rival import Rival
from edge_agent.mqtt.broker.will import LastWill
from edge_agent.mqtt.message import Fate
from edge_agent.mqtt.options import connect
from edge_agent.mqtt.publisher import Publisher
from edge_agent.notices import Notices
from edge_agent.observer import Observer, listening
from edge_agent.open_outbox import open_outbox
from edge_agent.place import places
from edge_agent.reporter import Reporter
from edge_agent.sampler import Sampler
from edge_agent.schedule import Schedule
from edge_agent.settings import needs_restart, reloaded
from edge_agent.stop import Stop
from edge_agent.supervisor import Supervisor
from isotherm import VERSION
from isotherm.errors import EXIT_FINE, IsothermError
from isotherm.mqtt.topics import readings_topic, status_topic
from isotherm.tasks import Tasks, where

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from edge_agent.board import Duty
    from edge_agent.sample import Sample
    from edge_agent.settings import AgentSettings
    from isotherm.log import Log

LAST_READINGS: Final = 1.0
"""Seconds for which the outbox is emptied after SIGTERM, if the broker is there."""
LAST_WORDS: Final = 0.5
"""Seconds for which the goodbye is awaited then."""


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
        device = settings.client_id
        self._link = connect(
            settings,
            client_id=device,
            keepalive=settings.keepalive,
            status_topic=status_topic(device),
        )
        self._clock = SystemClock(trust=settings.clock_trust)
        self._tasks = Tasks(log)
        self._failures = 0
        self._outbox = open_outbox(settings, self._clock, log, self._tasks)
        self._notices = Notices(self._outbox, log)
        will = LastWill(
            status_topic(device),
            lambda: self._reporter.will(),  # noqa: PLW0108 there is no reporter yet
            log=log,
            clock=time.monotonic,
        )
        rival = Rival(device, log=log, clock=time.monotonic)
        self._publisher = Publisher(
            self._link,
            self._notices,
            topic=readings_topic(device),
            window=settings.window,
            will=will,
            rival=rival,
            log=log,
        )
        self._drivers: dict[str, str] = {}
        self._signs: Hashable = None
        self._home = None
        if settings.home_assistant is not None:
            self._home = HomeAssistant(
                self._notices,
                greeting=lambda: self._publisher.greeting,
                prefix=settings.home_assistant,
                device=device,
                version=VERSION,
            )
        self._board = Board(
            self._sampler(settings),
            self._schedule(settings),
            keep=self._keep,
            publisher=self._publisher,
            link=self._link,
        )
        self._facts = facts = Facts(
            self._board,
            self._outbox,
            self._publisher,
            drivers=self._drivers,
            tasks=self._tasks,
            failures=lambda: self._failures,
            rival=rival,
            boot=boot_id(),
        )
        self._reporter = Reporter(
            facts,
            self._notices,
            topic=status_topic(device),
            greeting=lambda: self._publisher.greeting,
            interval=settings.status_interval,
            takes=self._publisher.takes,
            rival=rival,
            log=log,
        )
        self._supervisor = Supervisor(facts.line)
        self._observer = Observer(facts.view, self._tasks)
        self._outbox.fits(lambda: self._publisher.largest)
        notes = BrokerNotes(self._publisher, will=will, rival=rival, note=self._outbox.note)
        self._home_part = self._guarded("home assistant", self._home or Idle())
        duties: list[Duty] = [
            self._guarded("status", self._reporter),
            self._guarded("broker notes", notes),
            self._outbox,
            self._guarded("systemd", self._supervisor),
            self._home_part,
        ]
        if settings.metrics is not None:
            duties.append(self._guarded("metrics", self._observer))
        self._board.duties = duties
        self._board.wakers = [self._outbox.fileno()]
        self._introduce()

    def run(self) -> int:
        """Read and publish until SIGINT or SIGTERM.

        Returns:
            The exit code, always 0: to be stopped is how this ends.
        """
        settings = self._settings
        topic = readings_topic(settings.client_id)
        observed = listening(
            settings.metrics, self._observer, self._log, hosts=settings.metrics_hosts
        )
        with Stop(hangup=True) as stop, observed:
            self._log.info("started", probes=len(settings.probes), topic=topic, mqtt=settings.mqtt)
            try:
                self._board.run(stop, self._reload)
                self._end()
            except BaseException:
                self._publisher.close(vanish=True)
                raise
            finally:
                self._outbox.close()
        self._account()
        return EXIT_FINE

    def _guarded(self, name: str, duty: Duty) -> Guarded:
        def failed() -> None:
            self._failures += 1

        return Guarded(name, duty, self._log, failed)

    def _end(self) -> None:
        self._supervisor.stopping()
        self._outbox.stop()
        self._board.drain(lambda: not self._outbox.unsent, LAST_READINGS)
        self._board.duties, self._board.wakers = (), ()
        self._reporter.farewell()
        told = self._board.drain(lambda: not self._notices.unsettled, LAST_WORDS)
        # Whoever could not say goodbye has the broker say it.
        self._publisher.close(vanish=not told)

    def _keep(self, samples: Sequence[Sample]) -> None:
        self._outbox.put(samples)
        home = self._home
        if home is not None:
            self._home_part.do(lambda: home.show(samples, self._newly_faulty()))

    def _newly_faulty(self) -> list[str]:
        signs = self._facts.signs()
        if signs == self._signs:
            return []
        self._signs = signs
        probes = self._board.sampler.status()
        return [guid for guid, probe in probes.items() if probe.fault is not None]

    def _reload(self) -> None:
        """Take over what may change while it runs: the probes, and where they are."""
        self._supervisor.reloading(time.monotonic())
        try:
            new = self._load()
            settings = reloaded(self._settings, new)
            before, sampler = self._board.sampler, self._sampler(settings, self._board.sampler)
        except Exception as error:  # noqa: BLE001 a running agent outlives any configuration
            why = error if isinstance(error, IsothermError) else where(error)
            self._log.error("the new configuration is refused, the old one stays", why=why)
            return
        later = needs_restart(self._settings, new)
        self._settings = settings
        self._board.sampler = sampler
        self._keep(before.close())
        self._board.schedule = self._schedule(settings)
        self._introduce()
        self._log.info("configuration read again", probes=len(settings.probes))
        if later:
            self._log.warning("what changed here needs a restart", keys=",".join(later))

    def _introduce(self) -> None:
        self._drivers.clear()
        self._drivers.update({probe.guid: probe.driver for probe in self._settings.probes})
        home = self._home
        if home is not None:
            sensors = [Sensor(probe.guid, probe.interval) for probe in self._settings.probes]
            self._home_part.do(lambda: home.introduce(sensors))

    def _schedule(self, settings: AgentSettings) -> Schedule:
        return Schedule([probe.interval for probe in settings.probes], time.monotonic())

    def _sampler(self, settings: AgentSettings, before: Sampler | None = None) -> Sampler:
        return Sampler(
            places(settings, () if before is None else before.places),
            before=before,
            log=self._log,
            clock=self._clock.wall,
            uptime=self._clock.uptime,
        )

    def _account(self) -> None:
        outbox = self._outbox
        lost = outbox.lost_at_end
        facts = {
            "acknowledged": outbox.fates[Fate.DELIVERED],
            "nobody_got": outbox.fates[Fate.UNHEARD],
            "refused": outbox.fates[Fate.REFUSED],
            "set_aside": outbox.aside,
            "dropped": outbox.dropped,
            "kept": outbox.rows - lost,
            "lost_from_memory": lost,
            "faults": self._board.sampler.faults,
        }
        troubles = ("refused", "dropped", "lost_from_memory", "nobody_got")
        bad = any(facts[trouble] for trouble in troubles)
        (self._log.warning if bad else self._log.info)("stopped", **facts)
