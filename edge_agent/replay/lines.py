"""The lines of a file or a pipe, read in pieces and without ever blocking."""

from __future__ import annotations

import os
import select
from collections import deque
from typing import Final, NamedTuple

from edge_agent.errors import InputError

CHUNK: Final = 1 << 18
MAX_LINE: Final = 16 << 20
"""A longer line is skipped and told, so that one cannot fill the memory; a reading has at most
64 KiB."""


class Line(NamedTuple):
    """One line without its end.

    Attributes:
        number: from 1, blank lines counted.
        data: its bytes; None where it is longer than `MAX_LINE`.
    """

    number: int
    data: bytes | None


class LineReader:
    r"""The lines of a file descriptor that are not blank.

    A line ends with ``\n`` or ``\r\n``; the end of the file ends the last one. All else stays as it
    is, whether it is UTF-8 or not. Lines of nothing but white space are blank.

    Args:
        descriptor: open for reading; stays open.
        name: the file's, for people.
    """

    def __init__(self, descriptor: int, name: str = "-") -> None:
        self.descriptor = descriptor
        self._name = name
        self.ended = False
        self._lines: deque[Line] = deque()
        self._tail = b""
        self._skipping = False
        self._number = 0

    def next(self) -> Line | None:
        """The next line; None at the end, or where the next one has not come yet (see `ended`).

        Raises:
            InputError: the file cannot be read.
        """
        while not self._lines:
            if self.ended or not select.select([self.descriptor], [], [], 0)[0]:
                return None
            try:
                chunk = os.read(self.descriptor, CHUNK)
            except OSError as error:
                raise InputError(self._name, error.strerror or str(error)) from error
            self.feed(chunk)
        return self._lines.popleft()

    def feed(self, chunk: bytes) -> None:
        """Take the bytes that follow; none mean the end."""
        *whole, tail = (self._tail + chunk).split(b"\n")
        for data in whole:
            self._take(data.removesuffix(b"\r"))
        self._tail = tail
        if not chunk:
            self.ended = True
            # Without a newline there is no line end, and a last \r is the line's own.
            self._take(tail)
        elif len(tail) > MAX_LINE:
            self._tail = b""
            self._skipping = True

    def _take(self, data: bytes) -> None:
        self._number += 1
        if self._skipping or len(data) > MAX_LINE:
            self._skipping = False
            self._lines.append(Line(self._number, None))
        elif data and not data.isspace():
            self._lines.append(Line(self._number, data))
