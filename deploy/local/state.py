"""What runs in a data folder, in DATA/stack.json, for `status` and `down` from elsewhere."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.local.process import started_at

if TYPE_CHECKING:
    from pathlib import Path


AGENT: Final = "agent"
BRIDGE: Final = "bridge"
JOB: Final = "job"
PAGE: Final = "page"
"""The kinds of our programs."""


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
    """Replace the file in one step."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    new.replace(path)


def read_state(path: Path) -> StackRecord | None:
    """The record, or None where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        services = {
            name: ServiceRecord(
                ProcessRecord(**entry["process"]),
                entry["port"],
                entry["log"],
                entry.get("kind", ""),
            )
            for name, entry in found["services"].items()
        }
        return StackRecord(ProcessRecord(**found["owner"]), services)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
