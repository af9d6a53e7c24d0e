"""Signals as something to look at and to wait for, instead of an interruption."""

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
    """A context in which SIGINT and SIGTERM only set `signal` and wake who waits for `fileno`.

    Args:
        hangup: do the same with SIGHUP, for `hung_up`; else it ends the program.
    """

    def __init__(self, *, hangup: bool = False) -> None:
        self.signal: int | None = None
        self._caught_here = (*SIGNALS, signal.SIGHUP) if hangup else SIGNALS
        self._hung_up = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def __enter__(self) -> Self:
        self._handlers = {
            number: signal.signal(number, self._caught) for number in self._caught_here
        }
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

    def hung_up(self) -> bool:
        """Whether SIGHUP has come since this was asked last; several at once count as one."""
        if not self._hung_up:
            return False
        # In this order: a signal that comes meanwhile makes another round, at worst an idle one.
        self._hung_up = False
        if self.signal is None:
            self.quiet()
        return True

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._hung_up = True
        else:
            self.signal = number
