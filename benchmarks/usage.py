"""What a process uses, as the kernel counts it (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Use(NamedTuple):
    """One process of a session.

    Attributes:
        pid: its id.
        name: of its program, as the kernel has it.
        cpu: seconds of CPU so far, with those of its children that ended.
        peak: its largest resident memory so far, MB.
    """

    pid: int
    name: str
    cpu: float
    peak: float


def cpu(pid: int) -> float:
    """Seconds of CPU so far, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def session(leader: int) -> list[Use]:
    """What a session leader and all that it started use, whichever process groups they made."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            name, _, rest = text.partition("(")[2].rpartition(")")
            fields = rest.split()
            if int(fields[3]) != leader:
                continue
            ticks = sum(map(int, fields[11:15]))
            pid = int(entry.name)
            found.append(Use(pid, name, ticks / _TICKS, peak(pid)))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def resident(pid: int) -> float:
    """Resident memory now, MB."""
    return _memory(pid, "VmRSS:")


def peak(pid: int) -> float:
    """The largest resident memory of its whole life, MB."""
    return _memory(pid, "VmHWM:")


def _memory(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0
