"""The place of a file: filesystem, free bytes, whether it can be written, how fast it syncs."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

_BLOCK: Final = b"\0" * 4096
_TRIES: Final = 5
_MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")

REMOTE: Final = frozenset(
    [
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.sshfs",
        "glusterfs",
        "lustre",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    ]
)
"""Filesystems whose locks and fsync are another machine's."""
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})


def filesystem(path: Path, mounts: str | None = None) -> str | None:
    """The type of the filesystem in which a path lies, such as ``ext4``; None where it is not told.

    It is not told inside a chroot whose root is no mount of its own.

    Args:
        path: need not exist.
        mounts: the kernel's list, see proc_pid_mountinfo(5); None: that of this process.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    place = path.resolve()
    best, found = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        where, what = left.split()[4:5], right.split()[:1]
        if not where or not what:
            continue
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), where[0]))
        # The later of two mounts at one point hides the other.
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), what[0]
    return found


def existing(path: Path) -> Path:
    """The nearest folder above a path, or itself, that is there."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return place


def free_bytes(path: Path) -> int:
    """What is free for us where a path lies, or will lie.

    Raises:
        OSError: the system does not say.
    """
    return shutil.disk_usage(existing(path)).free


def sync_seconds(folder: Path) -> float:
    """How long an fsync of 4 KiB takes there: the median of five; leaves nothing behind.

    Raises:
        OSError: nothing can be written there.
    """
    took = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        for _ in range(_TRIES):
            file.write(_BLOCK)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took)


def mib(count: float) -> str:
    """Bytes for people, such as ``64 MiB`` or ``1.5 GiB``."""
    size = count / (1 << 20)
    return f"{size:,.0f} MiB" if size < 1024 else f"{size / 1024:,.1f} GiB"  # noqa: PLR2004 MiB in a GiB
