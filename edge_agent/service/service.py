"""`isotherm-agent run`: puts the parts of a board together, and changes its probes at SIGHUP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.mqtt.connection import Connection
from edge_agent.mqtt.message import Fate
from edge_agent.mqtt.options import check_files
from edge_agent.outbox.clock import SystemClock
from edge_agent.outbox.options import Options
from edge_agent.outbox.outbox import Outbox
from edge_agent.reporting.guarded import Guard
from edge_agent.reporting.home_assistant import Sensor
from edge_agent.reporting.reporting import Reporting
from edge_agent.reporting.retained import RetainedMessages
from edge_agent.sampling.sampler import Sampler
from edge_agent.service.device import DeviceState
from edge_agent.service.loop import Loop
from edge_agent.service.signals import Stop
from edge_agent.settings.agent import needs_restart, reloaded
from isotherm.errors import EXIT_FINE, IsothermError
from isotherm.mqtt.topics import readings_topic
from isotherm.tasks import Tasks, where

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from edge_agent.reporting.guarded import Duty
    from edge_agent.sampling.sample import Sample
    from edge_agent.settings.agent import AgentSettings
    from isotherm.log import Log

LAST_READINGS: Final = 1.0
"""Seconds for which the outbox is emptied after SIGTERM, if the broker is there."""
FAREWELL: Final = 0.5
"""Seconds for which its last status may take then."""


class Service:
    """The agent as it runs.

    Args:
        settings: as they were when it started.
        load: reads them again, at SIGHUP; raises `SettingsError`.
        log: of the program.

    Raises:
        SettingsError: a file that the settings name cannot be used.
        MissingExtraError: paho is not installed.
        OutboxInUseError: another agent has the outbox.
    """

    def __init__(
        self, settings: AgentSettings, load: Callable[[], AgentSettings], log: Log
    ) -> None:
        self._settings = settings
        self._load = load
        self._log = log
        self._clock = SystemClock(trust=settings.clock_trust)
        self._tasks = tasks = Tasks(log)
        # Whoever cannot connect at all leaves the outbox as it was.
        check_files(settings)
        options = Options.from_settings(settings)
        self._outbox = Outbox(options, clock=self._clock, log=log, tasks=tasks)
        self._retained = RetainedMessages(self._outbox, log)
        self._connection = connection = Connection.from_settings(
            settings,
            self._retained,
            lambda: self._reporting.will(),  # noqa: PLW0108 it is made below
            log,
        )
        self._loop = Loop(
            Sampler.from_settings(settings, self._clock, log),
            keep=self._keep,
            publisher=connection.publisher,
            link=connection.link,
        )
        guard = Guard(log)
        self._device = DeviceState(self._loop, self._outbox, connection, guard=guard, tasks=tasks)
        self._reporting = Reporting(
            settings, self._device, self._retained, connection, guard=guard, tasks=tasks, log=log
        )
        self._signs: Hashable = None
        self._outbox.fits(lambda: connection.publisher.largest)
        notes = guard.part("broker notes", connection.notes(self._outbox.note))
        duties: list[Duty] = [*self._reporting.duties, notes, self._outbox]
        self._loop.attend(duties, [self._outbox.fileno()])
        self._introduce()

    def run(self) -> int:
        """Read and publish until SIGINT or SIGTERM.

        Returns:
            The exit code, always 0: to be stopped is how this ends.
        """
        settings = self._settings
        topic = readings_topic(settings.client_id)
        with Stop(hangup=True) as stop, self._reporting.listening():
            self._log.info("started", probes=len(settings.probes), topic=topic, mqtt=settings.mqtt)
            try:
                self._loop.run(stop, self._reload)
                self._end()
            except BaseException:
                self._connection.publisher.close(vanish=True)
                raise
            finally:
                self._outbox.close()
        self._account()
        return EXIT_FINE

    def _end(self) -> None:
        self._reporting.stopping()
        self._outbox.stop()
        self._loop.drain(lambda: not self._outbox.unsent, LAST_READINGS)
        self._loop.attend(())
        self._reporting.farewell()
        sent = self._loop.drain(lambda: not self._retained.unsettled, FAREWELL)
        # Whoever could not say goodbye has the broker say it.
        self._connection.publisher.close(vanish=not sent)

    def _keep(self, samples: Sequence[Sample]) -> None:
        self._outbox.put(samples)
        self._reporting.show(samples, self._newly_faulty)

    def _newly_faulty(self) -> list[str]:
        signs = self._device.signs()
        if signs == self._signs:
            return []
        self._signs = signs
        probes = self._loop.sampler.status()
        return [guid for guid, probe in probes.items() if probe.fault is not None]

    def _reload(self) -> None:
        """Take over what may change while it runs: the probes, and where they are."""
        self._reporting.reloading()
        try:
            new = self._load()
            settings = reloaded(self._settings, new)
            sampler = Sampler.from_settings(
                settings, self._clock, self._log, before=self._loop.sampler
            )
        except Exception as error:  # noqa: BLE001 a running agent outlives any configuration
            why = error if isinstance(error, IsothermError) else where(error)
            self._log.error("the new configuration is refused, the old one stays", why=why)
            return
        later = needs_restart(self._settings, new)
        self._settings = settings
        self._loop.replace_sampler(sampler)
        self._introduce()
        self._log.info("configuration read again", probes=len(settings.probes))
        if later:
            self._log.warning("what changed here needs a restart", keys=",".join(later))

    def _introduce(self) -> None:
        places = self._loop.sampler.places
        self._reporting.introduce([Sensor(place.guid, place.interval) for place in places])

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
            "faults": self._loop.sampler.faults,
        }
        troubles = ("refused", "dropped", "lost_from_memory", "nobody_got")
        bad = any(facts[trouble] for trouble in troubles)
        (self._log.warning if bad else self._log.info)("stopped", **facts)
