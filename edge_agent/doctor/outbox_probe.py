"""Looks at the outbox and its disk; leaves both as they were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.doctor.outbox import OutboxFacts
from edge_agent.errors import OutboxUnreadableError
from edge_agent.lookup import Lookup
from isotherm.doctor.disk import existing, filesystem, free_bytes, sync_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping


def look_at_outbox(path: Path) -> OutboxFacts:
    """See what is there; an agent may run with it meanwhile."""
    in_use, waiting, used, unreadable = False, None, 0, ""
    saved: Mapping[str, Any] = {}
    if path.exists():
        try:
            with Lookup(path) as lookup:
                in_use, waiting = lookup.in_use, lookup.saved.rows
                saved = lookup.saved.facts
        except OutboxUnreadableError as error:
            unreadable = str(error)
        files = [Path(f"{path}{side}") for side in ("", "-wal")]
        used = sum(file.stat().st_size for file in files if file.exists())
    # The agent makes the folders that are missing.
    folder = existing(path.parent)
    sync, unwritable = None, ""
    try:
        sync = sync_seconds(folder)
    except OSError as error:
        unwritable = f"{folder}: {error.strerror or error}"
    try:
        free = free_bytes(folder)
    except OSError:
        free = None
    return OutboxFacts(
        in_use=in_use,
        waiting=waiting,
        unreadable=unreadable,
        used=used,
        unwritable=unwritable,
        sync_s=sync,
        free=free,
        kind=filesystem(folder),
        facts=saved,
    )
