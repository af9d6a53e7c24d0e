"""Disks that can be full: small file systems in memory, where root may mount them."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MB: Final = 1 << 20
_TRIES: Final = 20


class Disk:
    """A tmpfs of its own over a folder, as long as the context.

    Args:
        folder: is made.
        megabytes: its size; memory is used for what is written alone.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        self._size = megabytes * _MB

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={self._size},mode=755", "tmpfs", self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: what was killed a moment ago may still have files open there.
        _run("umount", "-l", self._folder)

    def fill(self) -> None:
        """From now on not a byte more can be written: its size is what it holds."""
        for tries_left in reversed(range(_TRIES)):
            found = os.statvfs(self._folder)
            try:
                # A size of 0 would be none at all (tmpfs(5)).
                self._resize(max(1, found.f_blocks - found.f_bfree) * found.f_bsize)
            except subprocess.CalledProcessError:
                # Somebody wrote in between, and it cannot be smaller than what it holds.
                if not tries_left:
                    raise
            else:
                return

    def free(self) -> None:
        """Let it have its whole size again."""
        self._resize(self._size)

    def _resize(self, size: int) -> None:
        _run("mount", "-o", f"remount,size={size}", self._folder)


def may_mount(folder: Path) -> bool:
    """Whether this process may mount a tmpfs and change its size."""
    if os.geteuid() != 0:
        return False
    try:
        with Disk(folder, 1) as disk:
            disk.fill()
            disk.free()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def no_disk(folder: Path) -> Iterator[None]:
    """In its place, the folder on whatever disk it is."""
    folder.mkdir(parents=True, exist_ok=True)
    yield


def _run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
