"""From settings to an outbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.clock import boot_id
from edge_agent.epoch import board_identity
from edge_agent.outbox import Outbox
from edge_agent.overflow import Overflow
from edge_agent.room import Bounds

if TYPE_CHECKING:
    from edge_agent.clock import BoardClock
    from edge_agent.settings import AgentSettings
    from isotherm.log import Log
    from isotherm.tasks import Tasks


def open_outbox(settings: AgentSettings, clock: BoardClock, log: Log, tasks: Tasks) -> Outbox:
    """The outbox of a device.

    Raises:
        OutboxInUseError: another agent has its file.
    """
    return Outbox(
        Path(settings.outbox),
        destination=settings.destination,
        board=board_identity(sysfs=Path(settings.sysfs)),
        bounds=Bounds(
            max_rows=settings.max_rows,
            max_bytes=settings.max_bytes,
            min_free_bytes=settings.min_free_bytes,
        ),
        overflow=Overflow(settings.overflow),
        log=log,
        clock=clock,
        wait=settings.clock_wait,
        interval=settings.commit_interval,
        rate=settings.backfill_rate,
        boot=boot_id(),
        tasks=tasks,
    )
