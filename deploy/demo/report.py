"""How the demo tells what it does: lines for people, and one line of progress."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

_OFTEN: Final = 0.2
_SELDOM: Final = 3.0


class Report:
    """Lines on a stream; progress rewrites one line on a terminal, else comes every 3 s at most.

    Args:
        stream: usually stderr.
        clock: seconds, monotonic.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._pause = _OFTEN if self._terminal else _SELDOM
        self._told = clock()
        self._open = False

    def __call__(self, line: str) -> None:
        """Show a line that stays."""
        self._write(f"\r\x1b[K[demo] {line}\n" if self._open else f"[demo] {line}\n")
        self._open = False

    def progress(self, line: str) -> None:
        """Show how far it is, unless that was shown just now."""
        now = self._clock()
        if now - self._told < self._pause:
            return
        self._told = now
        if self._terminal:
            # A line that wraps could not be rewritten.
            width = shutil.get_terminal_size().columns - 1
            self._write("\r" + f"[demo] {line}"[:width] + "\x1b[K")
            self._open = True
        else:
            self(line)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
