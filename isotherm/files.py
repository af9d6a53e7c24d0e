"""Files that the job writes: whole or not at all, and for nobody but the user and the group."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MODE: Final = 0o640
"""Of files of ours, less what the umask takes: readings and guids are nobody else's business."""

_OTHERS: Final = 0o027


def keep_from_others() -> None:
    """Make what this process and its children make unreadable for other users, for good."""
    os.umask(os.umask(_OTHERS) | _OTHERS)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that readers, also after a power cut, see whole or as it was before.

    The new file is one of ours alone: a link or a file that somebody put in its place is not
    followed.

    Raises:
        OSError: the disk is full or gone.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            # Without it a power cut may leave the new name with nothing in it.
            os.fsync(stream.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
