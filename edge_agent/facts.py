"""What the agent says of itself: to the broker, to systemd and to Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edge_agent.metrics import View
from isotherm import VERSION
from isotherm.mqtt.status import Mark, ProbeState, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from edge_agent.board import Board
    from edge_agent.mqtt.broker.rival import Rival
    from edge_agent.mqtt.publisher import Publisher
    from edge_agent.outbox import Outbox
    from isotherm.tasks import Tasks


class Facts:
    """See the module; reads the parts of a board, in its main loop.

    Args:
        board: has the sampler, another one after each reload.
        outbox: of the readings.
        publisher: of both.
        drivers: how each probe is read, by guid; the service changes it at each reload.
        tasks: the background threads.
        failures: how often a part that is not needed has failed.
        rival: knows of another agent with our device.id.
        boot: this start of the board, 32 hex digits.
    """

    def __init__(
        self,
        board: Board,
        outbox: Outbox,
        publisher: Publisher,
        *,
        drivers: Mapping[str, str],
        tasks: Tasks,
        failures: Callable[[], int],
        rival: Rival,
        boot: str,
    ) -> None:
        self._board = board
        self._outbox = outbox
        self._publisher = publisher
        self._drivers = drivers
        self._tasks = tasks
        self._failures = failures
        self._rival = rival
        self._boot = boot

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
            id(self._board.sampler),
            self._board.sampler.changes,
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
        probes = self._board.sampler.status()
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
            part_failures=self._failures(),
            probes=self._board.sampler.status(),
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
        return tuple(
            ProbeState(
                guid=guid,
                driver=self._drivers[guid],
                fault=None if probe.fault is None else probe.fault.value,
                since=probe.since,
                readings=probe.readings,
                faults={fault.value: count for fault, count in probe.faults.items()},
            )
            for guid, probe in self._board.sampler.status().items()
        )
