"""What systemd is told: that the agent is ready, alive, stopping, and how it is.

The protocol is sd_notify(3): datagrams of lines `KEY=VALUE` to the AF_UNIX socket in NOTIFY_SOCKET,
whose name may be abstract (`@` stands for its first byte, which is 0). WATCHDOG_USEC and
WATCHDOG_PID are those of sd_watchdog_enabled(3).
"""

from __future__ import annotations

import math
import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STATUS_GAP: Final = 5.0
"""Seconds between two status lines at least."""
_MICROSECONDS: Final = 1_000_000
_MOST_DIGITS: Final = 20
"""Of an integer of 64 bits."""


class SystemdNotifier:
    """A duty of the main loop: the watchdog is fed in the main loop, and nowhere else.

    Without NOTIFY_SOCKET it does nothing.

    Args:
        status: one line for people; told when it changes.
        environ: usually `os.environ`.
    """

    def __init__(self, status: Callable[[], str], environ: Mapping[str, str] = os.environ) -> None:
        self._status = status
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._feed_every = _watchdog(environ) / 2
        self._feed_at = -math.inf if self._feed_every < math.inf else math.inf
        self._told = ""
        self._tell_at = -math.inf
        self._ready = False

    def turn(self, now: float) -> float:
        """Feed the watchdog where that is due; seconds until it is due again."""
        if not self._address:
            return math.inf
        words = [] if self._ready else ["READY=1"]
        if now >= self._feed_at:
            words.append("WATCHDOG=1")
        status = self._status() if now >= self._tell_at else self._told
        if status != self._told:
            words.append(f"STATUS={status}")
        # What did not get through is told in the next turn.
        if words and self._tell(*words):
            self._ready = True
            if now >= self._feed_at:
                self._feed_at = now + self._feed_every
            if status != self._told:
                self._told, self._tell_at = status, now + STATUS_GAP
        return max(0.0, self._feed_at - now)

    def reloading(self, now: float) -> None:
        """The configuration is read again; the next turn says that it was.

        Args:
            now: seconds of CLOCK_MONOTONIC.
        """
        self._ready = False
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(now * _MICROSECONDS)}")

    def stopping(self) -> None:
        """The agent is about to end."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def _tell(self, *words: str) -> bool:
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(words).encode(), self._address)
        except OSError:
            # A supervisor that does not listen must not cost a reading.
            return False
        return True


def _address(name: str) -> bytes | str:
    """The socket's address; empty where there is none that we can reach."""
    if name.startswith("@"):
        return b"\0" + os.fsencode(name[1:])
    return name if name.startswith("/") else ""


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds within which the watchdog wants to be fed; infinite where it does not."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return math.inf
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or len(microseconds) > _MOST_DIGITS:
        return math.inf
    return int(microseconds) / _MICROSECONDS or math.inf
