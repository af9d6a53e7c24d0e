"""What runs in a data folder, in DATA/stack.json, for `status` and `down` from elsewhere."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.process import started_at
from isotherm.contract.foreign_json import decode_object, is_count

MOST_BYTES: Final = 1 << 20
MOST_PID: Final = 1 << 22
"""See proc_sys_kernel(5), pid_max."""
MOST_PORT: Final = 65_535
MOST_TICKS: Final = 1 << 63


AGENT: Final = "agent"
BRIDGE: Final = "bridge"
JOB: Final = "job"
PAGE: Final = "page"
"""The kinds of our programs."""


def is_plain(found: os.stat_result) -> bool:
    """Whether it is a file of this user's own, with one name, and no link."""
    own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    return own and found.st_nlink == 1


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process.

    Attributes:
        pid: its process id.
        started: its start in clock ticks since boot; see `process.started_at`.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessRecord:
        """The record of a process that runs now."""
        return cls(pid, started_at(pid) or 0)

    @property
    def runs(self) -> bool:
        """Whether this very process runs, and not a later one with its pid."""
        return started_at(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One service, or a program of ours beside them.

    Attributes:
        process: its process.
        port: where it listens on loopback; a program answers /metrics there.
        log: its file.
        kind: of a program of ours; empty for a service.
    """

    process: ProcessRecord
    port: int
    log: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class StackRecord:
    """One stack: the process that started it, and its services by name."""

    owner: ProcessRecord
    services: dict[str, ServiceRecord]


def write_state(path: Path, record: StackRecord) -> None:
    """Replace the file in one step; none but its owner may read it."""
    replace_file(path, json.dumps(asdict(record), indent=2) + "\n")


def replace_file(path: Path, text: str) -> None:
    """Write a file beside it, under a name that nobody knows before, and rename it."""
    # mkstemp opens with O_EXCL and O_NOFOLLOW, and mode 0600.
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 a descriptor has no Path
            stream.write(text)
        Path(new).replace(path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def read_state(path: Path) -> StackRecord | None:
    """The record, or None where there is none of this user's own that can be read."""
    try:
        with open(path, "rb", opener=_open) as stream:
            if not is_plain(os.fstat(stream.fileno())):
                return None
            found = decode_object(stream.read(MOST_BYTES + 1), max_bytes=MOST_BYTES)
        services = {
            _text(name): ServiceRecord(
                _process(entry["process"]),
                _whole(entry["port"], MOST_PORT),
                _text(entry["log"]),
                _text(entry.get("kind", "")),
            )
            for name, entry in found["services"].items()
        }
        return StackRecord(_process(found["owner"]), services)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _open(name: str, flags: int) -> int:
    # A named pipe in its place would be waited for.
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _process(found: Any) -> ProcessRecord:
    return ProcessRecord(
        _whole(found["pid"], MOST_PID, least=1), _whole(found["started"], MOST_TICKS)
    )


def _whole(found: Any, most: int, least: int = 0) -> int:
    if not is_count(found, most) or found < least:
        raise ValueError("not in range")
    return int(found)


def _text(found: Any) -> str:
    # It is shown on a terminal.
    if not isinstance(found, str) or not found.isprintable():
        raise ValueError("not a text that can be shown")
    return found
