"""How long ago a file was written, on a board whose clock may be set while we run."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from edge_agent.probes.fault import Fault, ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIVE_ROOTS: Final = ("/sys", "/proc")
"""The kernel makes the content of these files at each read, so their times mean nothing."""


class FileAge:
    """Refuses a file that was written too long ago.

    Until the file changes for the first time, its own time is used; from then on our monotonic
    clock, which nobody can set. A file whose time is in the future is as old as the time since we
    first read it.

    Args:
        path: of the file, for people.
        most: its greatest age, seconds.
        wall: the system clock, seconds since 1970.
        monotonic: seconds.
    """

    def __init__(
        self,
        path: Path,
        most: float,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._most = most
        self._wall = wall
        self._monotonic = monotonic
        self._seen: tuple[int, int, int] | None = None
        self._since = 0.0
        self._changed = False

    def look(self, found: os.stat_result) -> None:
        """Check the age of an open file.

        Raises:
            ProbeError: it is too old.
        """
        if found.st_dev in _live_devices():
            return
        age = self._age(found)
        if age > self._most:
            raise ProbeError(
                Fault.STALE,
                f"{self._path} was written {_span(age)} ago, and max_age is {_span(self._most)}: "
                "does its writer run?",
            )

    def _age(self, found: os.stat_result) -> float:
        now = self._monotonic()
        sign = (found.st_dev, found.st_ino, found.st_mtime_ns)
        if sign != self._seen:
            self._changed = self._seen is not None
            self._seen, self._since = sign, now
        known = now - self._since
        return known if self._changed else max(known, self._wall() - found.st_mtime)


def _live_devices() -> set[int]:
    devices = set()
    for root in LIVE_ROOTS:
        try:
            devices.add(os.stat(root).st_dev)  # noqa: PTH116 once a read: no Path is made for it
        except OSError:
            continue
    return devices - {os.stat("/").st_dev}  # noqa: PTH116 the same


def _span(seconds: float) -> str:
    """For people, such as ``90 s`` or ``30 days``."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
