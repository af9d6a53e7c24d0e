"""What a person chose for the outbox, and which board it is on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from edge_agent.outbox.clock import boot_id
from edge_agent.outbox.identity import board_identity
from edge_agent.outbox.overflow.policy import Bounds, Overflow


class OutboxSettings(Protocol):
    """The rows of the agent's settings that the outbox uses; see their table."""

    @property
    def outbox(self) -> str:
        """The file."""
        ...

    @property
    def destination(self) -> str:
        """Whom the readings are for."""
        ...

    @property
    def sysfs(self) -> str:
        """Where the kernel's sysfs is."""
        ...

    @property
    def max_rows(self) -> int:
        """Readings that may wait."""
        ...

    @property
    def max_bytes(self) -> int:
        """Bytes that the file may take."""
        ...

    @property
    def min_free_bytes(self) -> int:
        """Bytes that stay free on the disk."""
        ...

    @property
    def overflow(self) -> str:
        """What a full outbox drops."""
        ...

    @property
    def commit_interval(self) -> float:
        """Seconds between two commits."""
        ...

    @property
    def backfill_rate(self) -> float:
        """Readings of the backlog per second."""
        ...

    @property
    def clock_wait(self) -> float:
        """Seconds for which readings wait for the clock."""
        ...


@dataclass(frozen=True, kw_only=True)
class Options:
    """How one outbox is.

    Attributes:
        path: of the file.
        destination: whom the readings are for.
        board: see `edge_agent.outbox.identity.board_identity`.
        boot: this start of the board, 32 hex digits.
        bounds: how much the outbox may hold, and what is dropped beyond that.
        wait: seconds for which readings wait for the clock.
        interval: seconds between two commits.
        rate: readings of the backlog per second.
    """

    path: Path
    destination: str
    board: str
    boot: str
    bounds: Bounds
    wait: float
    interval: float
    rate: float

    @classmethod
    def from_settings(cls, settings: OutboxSettings) -> Self:
        """As the settings say, on this board."""
        return cls(
            path=Path(settings.outbox),
            destination=settings.destination,
            board=board_identity(sysfs=Path(settings.sysfs)),
            boot=boot_id(),
            bounds=Bounds(
                max_rows=settings.max_rows,
                max_bytes=settings.max_bytes,
                min_free_bytes=settings.min_free_bytes,
                overflow=Overflow(settings.overflow),
            ),
            wait=settings.clock_wait,
            interval=settings.commit_interval,
            rate=settings.backfill_rate,
        )
