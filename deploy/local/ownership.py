"""Whether a process is the one that a stack started: a state file alone proves nothing.

A folder may have been copied, unpacked or planted with any pid in its stack.json. What the kernel
says cannot be: the owner of a stack has its lock open, and a service writes to its log.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.state import is_plain

if TYPE_CHECKING:
    from deploy.local.state import ProcessRecord, StackRecord

LOCK = "lock"


def owner_runs(record: StackRecord, data: Path) -> bool:
    """Whether the process that started this stack runs still."""
    return _is_of(record.owner, data / LOCK)


def ours(record: StackRecord, data: Path) -> StackRecord:
    """The same with those services alone that run, and that this stack started.

    Args:
        record: as it stands in the folder.
        data: the stack's folder.
    """
    folder = data.resolve()
    services = {
        name: service
        for name, service in record.services.items()
        if Path(service.log).parent.resolve().is_relative_to(folder)
        and _is_of(service.process, Path(service.log))
    }
    return replace(record, services=services)


def _is_of(process: ProcessRecord, file: Path) -> bool:
    if not process.runs:
        return False
    try:
        wanted = file.lstat()
        descriptors = list(Path(f"/proc/{process.pid}/fd").iterdir())
    except OSError:
        return False
    return is_plain(wanted) and any(_is_file(one, wanted) for one in descriptors)


def _is_file(descriptor: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), wanted)
    except OSError:
        return False
