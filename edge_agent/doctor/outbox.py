"""What is to be said of the outbox and of the disk on which it lies; leaves both as they were."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.errors import OutboxUnreadableError
from edge_agent.outbox.inspect import Inspection
from isotherm.doctor.disk import (
    IN_MEMORY,
    REMOTE,
    existing,
    filesystem,
    free_bytes,
    mib,
    sync_seconds,
)
from isotherm.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isotherm.doctor.finding import Finding


@dataclass(frozen=True, kw_only=True)
class OutboxFacts:
    """What was seen of it.

    Attributes:
        in_use: whether an agent has it open.
        waiting: readings and gaps in it; None where there is no file yet.
        unreadable: why the file could not be looked into.
        used: bytes that it takes.
        unwritable: why nothing can be written into its folder.
        sync_s: what an fsync takes there, seconds; None where it could not be tried.
        free: bytes free on its disk; None where the system does not say.
        kind: of the filesystem, such as ``ext4``.
        facts: that the store keeps; see `edge_agent.outbox.storage.database.Saved`.
    """

    in_use: bool = False
    waiting: int | None = None
    unreadable: str = ""
    used: int = 0
    unwritable: str = ""
    sync_s: float | None = None
    free: int | None = None
    kind: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def check_outbox(
    facts: OutboxFacts, *, path: str, max_bytes: int, min_free: int, commit_s: float
) -> Iterator[Finding]:
    """Judge it against the settings.

    Args:
        facts: what was seen.
        path: ``outbox.path``.
        max_bytes: ``outbox.max_bytes``.
        min_free: ``outbox.min_free_bytes``.
        commit_s: ``outbox.commit_interval``, seconds.
    """
    yield _file(facts, path)
    if facts.unwritable:
        yield fail(
            "outbox place",
            f"nothing can be written beside {path}: {facts.unwritable}; readings would wait in "
            "memory alone, and be lost at a power cut: mend the folder, or set outbox.path",
        )
    elif facts.kind in IN_MEMORY:
        yield warn(
            "outbox place",
            f"{path} lies in memory ({facts.kind}): what waits is lost at a power cut; set "
            "outbox.path to a place on the card or disk",
        )
    elif facts.kind in REMOTE:
        yield warn(
            "outbox place",
            f"{path} lies on another machine ({facts.kind}), whose locks SQLite cannot trust; set "
            "outbox.path to a place on the board",
        )
    else:
        yield ok("outbox place", f"{path} can be written ({facts.kind or 'filesystem unknown'})")
    if facts.sync_s is not None:
        yield _sync(facts.sync_s, commit_s)
    if facts.free is not None:
        yield _room(facts.free, facts.used, max_bytes, min_free)


def _file(facts: OutboxFacts, path: str) -> Finding:
    if facts.unreadable:
        return warn(
            "outbox",
            f"{facts.unreadable}; the agent sets a damaged file aside when it starts, and salvages "
            "what it can",
        )
    if facts.waiting is None:
        return ok("outbox", f"{path} will be made by the agent")
    who = "an agent runs with it" if facts.in_use else "no agent runs with it"
    return ok("outbox", f"{path}: readings and gaps that wait: {facts.waiting}; {who}")


def _sync(seconds: float, commit_s: float) -> Finding:
    said = f"an fsync takes {seconds * 1000:.1f} ms"
    if seconds > commit_s / 2:
        return warn(
            "outbox fsync",
            f"{said}, with a commit every {commit_s:g} s: raise outbox.commit_interval, or use a "
            "better card",
        )
    return ok("outbox fsync", f"{said}, with a commit every {commit_s:g} s")


def _room(free: int, used: int, max_bytes: int, min_free: int) -> Finding:
    if free < min_free:
        return fail(
            "outbox disk",
            f"{mib(free)} free, below outbox.min_free_bytes ({mib(min_free)}): the outbox does not "
            "grow, and drops as outbox.overflow says; make room",
        )
    if free - min_free < max_bytes - used:
        return warn(
            "outbox disk",
            f"{mib(free)} free: the outbox can grow to {mib(used + free - min_free)}, not to the "
            f"{mib(max_bytes)} of outbox.max_bytes; make room, or lower it",
        )
    return ok("outbox disk", f"{mib(free)} free, enough for outbox.max_bytes ({mib(max_bytes)})")


def look_at_outbox(path: Path) -> OutboxFacts:
    """See what is there; an agent may run with it meanwhile."""
    in_use, waiting, used, unreadable = False, None, 0, ""
    saved: Mapping[str, Any] = {}
    if path.exists():
        try:
            with Inspection(path) as lookup:
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
