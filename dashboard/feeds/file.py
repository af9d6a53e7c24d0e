"""Snapshots from the file that the job appends to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from dashboard.feeds.base import Source
from dashboard.feeds.incoming import MAX_BYTES, read

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from dashboard.feeds.base import Inbox

_LOOK_S: Final = 0.1
_READ_BACK: Final = 32 << 20
"""An hour of snapshots every 3 s is some 12 MB."""
_PORTION: Final = 4 << 20


class FileFeed:
    """Follows a file as it grows, is emptied, or is replaced.

    Args:
        path: the file; may not be there yet.
        read_back: how many bytes at its end are read at first.
    """

    def __init__(self, path: Path, *, read_back: int = _READ_BACK) -> None:
        self._path = path
        self._read_back = read_back
        self._file: Any = None
        self._rest = b""
        self._over = False
        self._line = 0
        self._came = False

    @property
    def began(self) -> Source:
        """See `Feed`."""
        return self._source(up=False, why=f"{self._path} is not there yet")

    def run(self, inbox: Inbox, stop: Event) -> None:
        """See `Feed`."""
        up: Source | None = None
        try:
            while True:
                now = self._look(inbox)
                if now != up:
                    up = now
                    inbox.source(now)
                if stop.wait(_LOOK_S):
                    return
        finally:
            self._close()

    def _look(self, inbox: Inbox) -> Source:
        try:
            if self._file is not None and self._replaced():
                # The job may have written once more to the one that went.
                self._read(inbox)
                if self._rest:
                    inbox.broken(
                        str(self._path), "the file that it took the place of ends in half a line"
                    )
                self._close()
                self._came = True
            if self._file is None:
                self._open()
            self._read(inbox)
        except FileNotFoundError:
            return self.began
        except OSError as error:
            self._close()
            return self._source(up=False, why=f"{self._path}: {error.strerror}")
        return self._source(up=True, why="")

    def _read(self, inbox: Inbox) -> None:
        while portion := self._file.read(_PORTION):
            self._take(portion, inbox)

    def _open(self) -> None:
        self._file = self._path.open("rb")
        size = os.fstat(self._file.fileno()).st_size
        # One that took the place of another is read whole: nobody has seen its beginning.
        if size > self._read_back and not self._came:
            self._file.seek(size - self._read_back)
            self._file.readline()

    def _replaced(self) -> bool:
        here = os.fstat(self._file.fileno())
        there = self._path.stat()
        return (here.st_dev, here.st_ino) != (
            there.st_dev,
            there.st_ino,
        ) or there.st_size < self._file.tell()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._rest = b""
        self._over = False
        self._line = 0

    def _take(self, portion: bytes, inbox: Inbox) -> None:
        *lines, self._rest = (self._rest + portion).split(b"\n")
        for line in lines:
            self._line += 1
            # The end of one that was too long already is no line of its own.
            if not self._over and line.strip():
                self._read_line(line, inbox)
            self._over = False
        if len(self._rest) > MAX_BYTES:
            if not self._over:
                self._over = True
                self._broken(self._line + 1, f"it has over {MAX_BYTES} bytes", inbox)
            self._rest = b""

    def _read_line(self, line: bytes, inbox: Inbox) -> None:
        try:
            found = read(line)
        except ValueError as error:
            self._broken(self._line, str(error), inbox)
        else:
            inbox.snapshot(found)

    def _broken(self, line: int, why: str, inbox: Inbox) -> None:
        inbox.broken(f"{self._path}, line {line} since it was opened", why)

    def _source(self, *, up: bool, why: str) -> Source:
        return Source(kind="file", name=str(self._path), up=up, why=why)
