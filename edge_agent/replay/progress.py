"""What a replay shows while it runs: one line that is rewritten, or a line now and then."""

from __future__ import annotations

import io
from typing import Final, TextIO

OFTEN: Final = 0.2
SELDOM: Final = 2.0


class Progress(io.TextIOBase):
    """The progress line on a stream, and the stream on which a log may be written beside it.

    Args:
        stream: a terminal gets one line that is rewritten, anything else a line every 2 s.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._next = 0.0 if self._terminal else SELDOM
        self._begun: float | None = None
        self._shown = False

    def due(self, now: float) -> bool:
        """Whether it is time for a new line; `now` in seconds of a monotonic clock."""
        if self._begun is None:
            self._begun = now
        if now - self._begun < self._next:
            return False
        self._next = now - self._begun + (OFTEN if self._terminal else SELDOM)
        return True

    def show(self, text: str) -> None:
        """Show the state."""
        if self._terminal:
            self._stream.write(f"\r{text}\x1b[K")
            self._stream.flush()
            self._shown = True
        else:
            self._stream.write(f"{text}\n")

    def write(self, text: str) -> int:
        """Write a line of its own, which does not get mixed up with the progress line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._shown = False
        return self._stream.write(text)

    def flush(self) -> None:
        """Hand on to the stream."""
        self._stream.flush()
