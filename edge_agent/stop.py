"""Ctrl-C and SIGTERM as something to look at and to wait for, instead of an interruption."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
EXIT_BASE: Final = 128
"""A program that a signal ended returns this plus its number: 130 for Ctrl-C, 143 for SIGTERM."""


class Stop:
    """A context in which SIGINT and SIGTERM only set `signal` and wake who waits for `fileno`."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)

    def __enter__(self) -> Self:
        self._handlers = {number: signal.signal(number, self._caught) for number in SIGNALS}
        self._fd = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(self._fd)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._woken.close()
        self._waker.close()

    def fileno(self) -> int:
        """Readable once a signal has come."""
        return self._woken.fileno()

    def quiet(self) -> None:
        """Make `fileno` wait for the next signal."""
        self._woken.recv(EXIT_BASE)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
