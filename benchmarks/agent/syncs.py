"""How often a program has the disk sync, as strace sees it: the kernel keeps no such count."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_CALL: Final = re.compile(r"^(?:\d+ +)?(\d+\.\d+) (?:fsync|fdatasync)\(", re.MULTILINE)


def find_strace() -> str | None:
    """The program, where it is installed."""
    return shutil.which("strace")


def traced(strace: str, log: Path, command: list[str]) -> list[str]:
    """The command under strace, as our own child still (``-DD``), with its syncs in a log."""
    return [strace, "-DD", "-f", "-ttt", "-e", "trace=fsync,fdatasync", "-o", str(log), *command]


def syncs(log: str, first: float, last: float) -> int:
    """The syncs that began in a span, seconds since 1970.

    A call during which another thread calls something has two lines there, ``<unfinished ...>`` and
    ``<... fsync resumed>``; only the first is counted.
    """
    return sum(first <= float(found) < last for found in _CALL.findall(log))
