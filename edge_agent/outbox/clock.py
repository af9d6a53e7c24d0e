"""The board's clocks: whether the system clock can be trusted, and what time an entry gets.

A Raspberry Pi before the 5 has no clock that runs without power: it starts with the time of its
last shutdown, until a time server is heard. The clock that counts since the start is never wrong,
so entries carry both, and get their event time when they are sent.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from isotherm.contract.reading import Clock as Trust
from isotherm.kernel_clock import kernel_in_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.outbox.entry import Entry
    from edge_agent.sampling.sample import Sample

SYNCHRONIZED: Final = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd makes this file when it is first in sync (systemd-timesyncd.service(8))."""

_NS: Final = 1_000_000_000
_STEP: Final = _NS
"""A system clock that moved by more against the time since the start did not drift, but stepped."""


class BoardClock(Protocol):
    """What the agent asks of the board's clocks."""

    def wall(self) -> int:
        """The system clock, nanoseconds since 1970; may be wrong, and may step."""
        ...

    def uptime(self) -> int:
        """Nanoseconds since the board started, suspension included."""
        ...

    def in_sync(self) -> bool:
        """Whether the system clock is known to be right."""
        ...


class SystemClock:
    """The clocks of a Linux board.

    Args:
        trust: take the system clock as right, whatever the kernel says.
        kernel: what the kernel says; None where it does not.
        synchronized: a file that is there once the clock is right; only looked at where the
            kernel does not say.
    """

    def __init__(
        self,
        *,
        trust: bool = False,
        kernel: Callable[[], bool | None] = kernel_in_sync,
        synchronized: Path = SYNCHRONIZED,
    ) -> None:
        self._trust = trust
        self._kernel = kernel
        self._synchronized = synchronized

    def wall(self) -> int:
        """The system clock, nanoseconds since 1970."""
        return time.time_ns()

    def uptime(self) -> int:
        """Nanoseconds since the board started, suspension included (clock_gettime(2))."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def in_sync(self) -> bool:
        """Whether the kernel says so."""
        if self._trust:
            return True
        said = self._kernel()
        return self._synchronized.exists() if said is None else said


class Timeline:
    """Gives entries their event time.

    The offset between the two clocks is noted once in each boot, when the system clock is first in
    sync, and used once it is kept (`keep`): so an entry gets the same time whenever it is sent,
    after a crash too, and a clock that is set by hand later moves no entry.

    Args:
        clock: the board's clocks.
        boot: this start of the board, 32 hex digits.
        wait: seconds for which entries wait for the clock, counted from now.
    """

    def __init__(
        self,
        clock: BoardClock,
        *,
        boot: str,
        wait: float,
    ) -> None:
        self._clock = clock
        self._boot = boot
        self._offsets: dict[str, int] = {}
        self._synced = False
        self._noted: int | None = None
        self._until = clock.uptime() + int(wait * _NS)

    @property
    def noted(self) -> int | None:
        """The offset of this boot, once the clock was in sync; it may not be kept yet."""
        return self._noted

    @property
    def trust(self) -> Trust:
        """What an entry of this moment will say, unless the clock comes to be in sync."""
        if self._synced:
            return Trust.SYNCED
        known = self._noted is not None or self._boot in self._offsets
        return Trust.CORRECTED if known else Trust.UNSYNCED

    @property
    def waiting(self) -> bool:
        """Whether entries of this boot wait for the clock."""
        if self._boot in self._offsets:
            return False
        return self._noted is not None or self._clock.uptime() < self._until

    def look(self) -> bool:
        """Whether the system clock is in sync right now; notes the offset when it is so first."""
        self._synced = synced = self._clock.in_sync()
        if synced and self._noted is None and self._boot not in self._offsets:
            self._noted = self._clock.wall() - self._clock.uptime()
        return synced

    def right(self, sample: Sample) -> Sample:
        """A sample whose time is of the clock as `look` found it.

        Between a read and its commit the clock may have stepped, first of all when a time server is
        heard: then the sample has the old clock's time, and what is known of the new one is not
        true of it.
        """
        if not self._synced:
            return sample
        wall = self._clock.wall() - self._clock.uptime() + sample.uptime
        return sample._replace(wall=wall) if abs(wall - sample.wall) > _STEP else sample

    def learn(self, offsets: Mapping[str, int]) -> None:
        """Take in the offsets that a store has of earlier boots."""
        self._offsets = {**offsets, **self._offsets}

    @property
    def offsets(self) -> Mapping[str, int]:
        """Of this boot, once it is kept, and earlier ones: wall minus uptime, nanoseconds."""
        return self._offsets

    def keep(self) -> None:
        """What was noted is on disk, or there is none."""
        if self._noted is not None:
            self._offsets[self._boot] = self._noted

    def time(self, entry: Entry) -> tuple[int, Trust] | None:
        """An entry's event time and how far to trust it; None while it waits for the clock."""
        if entry.synced:
            return entry.wall, Trust.SYNCED
        offset = self._offsets.get(entry.boot)
        if offset is not None:
            return offset + entry.uptime, Trust.CORRECTED
        if entry.boot == self._boot and self.waiting:
            return None
        return entry.wall, Trust.UNSYNCED


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """This start of the board as 32 hex digits; all zeros where the system does not say."""
    try:
        return path.read_text(encoding="ascii").strip().replace("-", "")
    except (OSError, UnicodeDecodeError):
        return "0" * 32
