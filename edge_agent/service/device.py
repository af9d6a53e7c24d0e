"""What the agent says of itself: to the broker, to systemd and to Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edge_agent.outbox.clock import boot_id
from edge_agent.reporting.metrics import View
from isotherm import VERSION
from isotherm.mqtt.status import Mark, ProbeState, Status

if TYPE_CHECKING:
    from collections.abc import Hashable

    from edge_agent.mqtt.connection import Connection
    from edge_agent.outbox.outbox import Outbox
    from edge_agent.reporting.guarded import Guard
    from edge_agent.service.loop import Loop
    from isotherm.tasks import Tasks


class DeviceState:
    """See the module; reads the parts of the agent, in its main loop.

    Args:
        loop: has the sampler, another one after each reload.
        outbox: of the readings.
        connection: to the broker.
        guard: counts how often a part that is not needed has failed.
        tasks: the background threads.
    """

    def __init__(
        self, loop: Loop, outbox: Outbox, connection: Connection, *, guard: Guard, tasks: Tasks
    ) -> None:
        self._loop = loop
        self._outbox = outbox
        self._publisher = connection.publisher
        self._rival = connection.rival
        self._guard = guard
        self._tasks = tasks
        self._boot = boot_id()

    @property
    def life(self) -> str:
        """Names this run of the agent."""
        return self._outbox.mark.life

    @property
    def lives(self) -> tuple[str, ...]:
        """Names this run and earlier ones."""
        return self._outbox.lives

    def notes(self) -> tuple[str, ...]:
        """What a person may want to mend, a sentence each; none of it keeps us from measuring."""
        notes = [self._rival.sentence]
        if self._publisher.lacks:
            notes.append(f"this broker cannot do all that we ask of it: {self._publisher.lacks}")
        if self._outbox.aside:
            notes.append(
                f"readings that the broker alone refuses, set aside until the next start: "
                f"{self._outbox.aside}"
            )
        return tuple(filter(None, notes))

    def status(self, *, online: bool) -> Status:
        """For the retained status and the will."""
        mark = self._outbox.mark
        return Status(
            online=online,
            time=time.time_ns(),
            version=VERSION,
            boot=self._boot,
            life=mark.life,
            epoch=mark.epoch,
            next_id=mark.next_id,
            clock=self._outbox.trust,
            outbox=self._account(),
            probes=self._probes(),
            proof=mark.proof,
        )

    def signs(self) -> Hashable:
        """What is worth a new status when it changes."""
        outbox = self._outbox
        return (
            id(self._loop.sampler),
            self._loop.sampler.changes,
            outbox.in_memory,
            outbox.trust,
            outbox.mark.epoch,
            outbox.aside,
        )

    def seen(self, mark: Mark | None) -> None:
        """What the broker knew of this device: whether our sequence numbers are still ours."""
        self._outbox.seen(mark)

    def line(self) -> str:
        """For systemd."""
        probes = self._loop.sampler.status()
        ill = sum(probe.fault is not None for probe in probes.values())
        broker = "connected" if self._publisher.connected else "no broker"
        if self._rival.here:
            broker += " (another agent uses our device.id)"
        state = f"{broker}, {self._outbox.rows} readings wait, {len(probes)} probes"
        return f"{state}, {ill} with a fault" if ill else state

    def view(self) -> View:
        """For Prometheus."""
        return View(
            turned=time.monotonic(),
            connected=self._publisher.connected,
            connections=self._publisher.connections,
            under_way=self._publisher.unsettled,
            rows=self._outbox.rows,
            dropped=self._outbox.dropped,
            in_memory=self._outbox.in_memory,
            fates=dict(self._outbox.fates),
            task_ends=self._tasks.ends,
            part_failures=self._guard.failures,
            probes=self._loop.sampler.status(),
            aside=self._outbox.aside,
            rival=self._rival.here,
            promised=self._publisher.promised,
            packet_limit=self._publisher.packet_limit,
            notes=self.notes(),
        )

    def _account(self) -> dict[str, Any]:
        fates = {fate.value: count for fate, count in self._outbox.fates.items()}
        outbox = self._outbox
        return {
            "rows": outbox.rows,
            "dropped": outbox.dropped,
            "aside": outbox.aside,
            "in_memory": outbox.in_memory,
            **fates,
        }

    def _probes(self) -> tuple[ProbeState, ...]:
        drivers = self._loop.sampler.drivers
        return tuple(
            ProbeState(
                guid=guid,
                driver=drivers[guid],
                fault=None if probe.fault is None else probe.fault.value,
                since=probe.since,
                readings=probe.readings,
                faults={fault.value: count for fault, count in probe.faults.items()},
            )
            for guid, probe in self._loop.sampler.status().items()
        )
