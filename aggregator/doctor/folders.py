"""The folders into which the job writes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from aggregator.sinks.factory import files
from isotherm.doctor.disk import IN_MEMORY, REMOTE, existing, filesystem, free_bytes, mib
from isotherm.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.settings import AggregatorSettings
    from isotherm.doctor.finding import Finding


LEAST: Final = 512 << 20
"""Bytes: Spark's files between two stages, a ledger of some 100,000 sensors, some days of
snapshots."""


class Place(NamedTuple):
    """Where one thing is written.

    Attributes:
        what: the setting that names it.
        path: of the file or folder.
        kind: of its filesystem; None where the system does not tell.
        free: bytes; None where the system does not tell.
        why: why it cannot be written; empty where it can.
    """

    what: str
    path: Path
    kind: str | None
    free: int | None
    why: str = ""


def wanted(settings: AggregatorSettings) -> Iterator[tuple[str, Path, bool]]:
    """What the job writes on this machine: the setting, the path, whether it is a folder."""
    if (folder := settings.checkpoint_folder) is not None:
        yield "--checkpoint", folder, True
    if settings.keeps_ledger and (folder is not None or settings.ledger is not None):
        yield "--ledger", settings.ledger_file, False
    yield from files(settings.sinks)


def look(what: str, path: Path, *, folder: bool) -> Place:
    """See whether it can be written; leaves nothing behind."""
    near = existing(path)
    why = ""
    if path.exists() and path.is_dir() != folder:
        why = "it is a folder" if path.is_dir() else "it is a file"
    elif not near.is_dir() and near != path.absolute():
        why = f"{near} is a file"
    elif not os.access(near, os.W_OK):
        why = f"{near} may not be written by this user, or its filesystem is read-only"
    try:
        free = free_bytes(near)
    except OSError:
        free = None
    return Place(what, path, filesystem(near), free, why)


def check_place(place: Place) -> Iterator[Finding]:
    """Judge one."""
    name = f"{place.what} {place.path}"
    if place.why:
        yield fail("place", f"{name} cannot be written: {place.why}; mend it, or name another")
        return
    if place.free is not None and place.free < LEAST:
        yield warn("place", f"{name}: {mib(place.free)} free; make room, the job ends without")
        return
    kept = place.what in {"--checkpoint", "--ledger"}
    if kept and place.kind in REMOTE:
        yield warn(
            "place",
            f"{name} lies on another machine ({place.kind}): every trigger waits for it, and its "
            "locks may let two jobs in; a disk of this machine is better",
        )
    elif kept and place.kind in IN_MEMORY:
        yield warn(
            "place",
            f"{name} lies in memory ({place.kind}): after a reboot counting begins anew; name a "
            "place on a disk",
        )
    else:
        free = "" if place.free is None else f", {mib(place.free)} free"
        yield ok("place", f"{name} can be written ({place.kind or 'unknown'}{free})")
