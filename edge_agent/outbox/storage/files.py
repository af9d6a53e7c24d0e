"""The outbox's files: only their owner may read them, and somebody may remove or replace them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


FILE: Final = 0o600
FOLDER: Final = 0o700
_OTHERS: Final = 0o007


def make_private(path: Path) -> None:
    """Make a file that is not there, for us alone; from one that is there, shut out all others.

    A group that was let in stays let in. SQLite gives its log and the log's index the file's mode.

    Raises:
        OSError: it cannot be made.
    """
    try:
        found = os.stat(path).st_mode  # noqa: PTH116 beside os.open
    except FileNotFoundError:
        # A link that the board's owner made to a place that is to be filled.
        path = path.resolve() if path.is_symlink() else path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(path, flags, FILE))
        return
    if found & _OTHERS:
        # Where it is another user's, its mode is that user's matter.
        with contextlib.suppress(OSError):
            os.chmod(path, found & 0o770)  # noqa: PTH101 the same


def make_folder(path: Path) -> None:
    """Make a folder that is not there, for us alone.

    Raises:
        OSError: it cannot be made.
    """
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=FOLDER, exist_ok=True)


SIDES: Final = ("", "-wal", "-shm")
"""Suffixes of SQLite's files in WAL mode: the file, its log, the log's index."""
_NOUNS: Final = {"": "file", "-wal": "log (-wal)", "-shm": "log's index (-shm)"}


class OpenFiles:
    """Notices that a database was removed, moved or replaced while connections to it are open.

    The connections would continue to write into files without a name, and what they write would be
    lost (sqlite.org/howtocorrupt.html, 2.4). The files are only looked at by name, since closing
    any descriptor of the file would release SQLite's locks on it (2.2).

    Args:
        path: of the file; its connections must have been opened before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, os.stat_result] = {}
        self.look()

    def look(self, wanted: int = 0, *, wrote: bool = False) -> str:
        """Why the files are not those that were opened; empty if they are.

        Args:
            wanted: the file's size as SQLite knows it, bytes, the log included. A file that is
                shorter now, and was longer before, was cut: a vacuum makes both numbers smaller.
            wrote: whether we have written since the last look; then only a file that is missing or
                was cut is noticed.
        """
        for side in SIDES:
            known = self._seen.get(side)
            try:
                found = os.stat(f"{self._path}{side}")  # noqa: PTH116 each second: no Path is made
            except OSError as error:
                if known is not None:
                    return f"its {_NOUNS[side]} was removed or is not accessible: {error.strerror}"
                continue
            if known is not None:
                if not wrote and _is_another(side, known, found):
                    return f"another file replaced its {_NOUNS[side]}"
                if not side and found.st_size < min(known.st_size, wanted):
                    return f"its file was cut to {found.st_size} bytes"
            self._seen[side] = found
        return ""


def _is_another(side: str, known: os.stat_result, found: os.stat_result) -> bool:
    if os.path.samestat(known, found):
        return False
    # Some network filesystems give their files new numbers from time to time.
    same = known.st_size == found.st_size and (
        # The index is written through memory, which the times do not show at once.
        side == "-shm" or known.st_mtime_ns == found.st_mtime_ns
    )
    return not same
