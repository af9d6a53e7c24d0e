"""All that the agent says of itself, put together from the settings."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Protocol

from edge_agent.reporting.guarded import Idle
from edge_agent.reporting.home_assistant import HomeAssistant, Sensor
from edge_agent.reporting.http import HttpReporter, listening
from edge_agent.reporting.status import Device, StatusReporter
from edge_agent.reporting.systemd import SystemdNotifier
from isotherm import VERSION
from isotherm.mqtt.topics import status_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from edge_agent.mqtt.connection import Connection
    from edge_agent.reporting.guarded import Guard, Guarded
    from edge_agent.reporting.metrics import View
    from edge_agent.reporting.retained import RetainedMessages
    from edge_agent.sampling.sample import Sample
    from isotherm.log import Log
    from isotherm.settings.address import Address
    from isotherm.tasks import Tasks


class ReportingSettings(Protocol):
    """The rows of the agent's settings that its reports use; see their table."""

    @property
    def client_id(self) -> str:
        """The device's name."""
        ...

    @property
    def status_interval(self) -> float:
        """Seconds between two statuses at most."""
        ...

    @property
    def home_assistant(self) -> str | None:
        """Home Assistant's discovery prefix; None where it shall find nothing."""
        ...

    @property
    def metrics(self) -> Address | None:
        """Where to answer over HTTP."""
        ...

    @property
    def metrics_hosts(self) -> str | None:
        """Names by which that may be asked."""
        ...


class Reported(Device, Protocol):
    """What is reported on, to all."""

    def line(self) -> str:
        """How it is, in a line for systemd."""
        ...

    def view(self) -> View:
        """How it is, for Prometheus."""
        ...


class Reporting:
    """Retained status, Home Assistant, systemd and HTTP; none of them can stop a reading.

    Args:
        settings: of the agent.
        device: what is reported on.
        retained: where messages for the broker go.
        connection: to the broker.
        guard: keeps what fails here from the rest of the agent.
        tasks: the background threads, whose ends `/healthz` shows.
        log: gets one line per change of state.

    Attributes:
        duties: what wants its turn in the main loop, before the publisher.
    """

    def __init__(
        self,
        settings: ReportingSettings,
        device: Reported,
        retained: RetainedMessages,
        connection: Connection,
        *,
        guard: Guard,
        tasks: Tasks,
        log: Log,
    ) -> None:
        publisher, topic = connection.publisher, status_topic(settings.client_id)
        self._status = StatusReporter(
            device,
            retained,
            topic=topic,
            greeting=lambda: publisher.greeting,
            interval=settings.status_interval,
            takes=publisher.takes,
            rival=connection.rival,
            log=log,
        )
        self._home: HomeAssistant | None = None
        if settings.home_assistant is not None:
            self._home = HomeAssistant(
                retained,
                greeting=lambda: publisher.greeting,
                prefix=settings.home_assistant,
                device=settings.client_id,
                version=VERSION,
            )
        self._home_part = guard.part("home assistant", self._home or Idle())
        self._systemd = SystemdNotifier(device.line)
        observer = HttpReporter(device.view, tasks)
        self._listening = functools.partial(
            listening, settings.metrics, observer, log, hosts=settings.metrics_hosts
        )
        self.duties: Sequence[Guarded] = (
            guard.part("status", self._status),
            guard.part("systemd", self._systemd),
            self._home_part,
            *([] if settings.metrics is None else [guard.part("metrics", observer)]),
        )

    def listening(self) -> AbstractContextManager[None]:
        """Answer over HTTP for the time of the context, if the settings say where."""
        return self._listening()

    def will(self) -> bytes:
        """What the broker shall publish should we vanish."""
        return self._status.will()

    def introduce(self, sensors: Sequence[Sensor]) -> None:
        """The probes as they are configured now."""
        if (home := self._home) is not None:
            self._home_part.do(lambda: home.introduce(sensors))

    def show(self, samples: Sequence[Sample], faulty: Callable[[], Sequence[str]]) -> None:
        """What the probes gave.

        Args:
            samples: of one tick.
            faulty: gives the guids of the probes with a fault, if any of that has changed.
        """
        if (home := self._home) is not None:
            self._home_part.do(lambda: home.show(samples, faulty()))

    def reloading(self) -> None:
        """The configuration is read again."""
        self._systemd.reloading(time.monotonic())

    def stopping(self) -> None:
        """The agent is about to end."""
        self._systemd.stopping()

    def farewell(self) -> None:
        """Report to the broker that the agent ends."""
        self._status.farewell()
