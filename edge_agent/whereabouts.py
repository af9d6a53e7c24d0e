"""Whether the files at a path are still those that were opened there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

SIDES: Final = ("", "-wal", "-shm")
"""What SQLite's files in WAL mode have behind their path: the file, its log, the log's index."""
_NOUNS: Final = {"": "file", "-wal": "log (-wal)", "-shm": "log's index (-shm)"}


class Whereabouts:
    """Notices that a database was removed, moved or replaced under its open connections.

    Those go on to write into files that have no name any more, and nobody would find what they
    wrote (sqlite.org/howtocorrupt.html, 2.4). Looks by name alone, since closing any descriptor of
    the file would drop SQLite's locks on it (2.2).

    Args:
        path: of the file, which was opened just now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, tuple[int, int]] = {}
        self._size = 0
        self.look()

    def look(self, wanted: int = 0) -> str:
        """Why the files are not those that were opened; empty while they are.

        Args:
            wanted: bytes that SQLite takes the file to have, the log included. A file that is
                shorter was cut, if it was longer before: a vacuum lowers both.
        """
        for side in SIDES:
            known = self._seen.get(side)
            try:
                found = os.stat(f"{self._path}{side}")  # noqa: PTH116 each second: no Path is made
            except OSError as error:
                if known is not None:
                    return f"its {_NOUNS[side]} was removed, or cannot be had: {error.strerror}"
                continue
            place = (found.st_dev, found.st_ino)
            if known is None:
                self._seen[side] = place
            elif known != place:
                return f"another file stands in the place of its {_NOUNS[side]}"
            if not side:
                before, self._size = self._size, found.st_size
                if found.st_size < min(before, wanted):
                    return f"its file was cut to {found.st_size} bytes"
        return ""
