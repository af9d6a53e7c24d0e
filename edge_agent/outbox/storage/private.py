"""Files and folders that only their owner may read."""

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
