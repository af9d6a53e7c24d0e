"""The first words on a new connection: what the broker takes, and what it kept of us.

CONNECT, CONNACK; then our own retained status is asked for, and given up again: SUBSCRIBE, SUBACK,
the status if there is one, UNSUBSCRIBE, UNSUBACK. Nothing is published before, since what the
broker knows may say that our sequence numbers are not ours any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edge_agent.mqtt.events import Down, Up
from edge_agent.mqtt.reason_codes import FAILURE, reason

_REFUSED: Final = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK: protocol version, client id, password, not authorized, banned, authentication method."""


class Handshake:
    """Of one connection.

    Args:
        status_topic: of our own retained status; None asks for none.
        unreadable: why none is asked for, if it is worth saying.
    """

    def __init__(self, status_topic: str | None, unreadable: str = "") -> None:
        self.topic = status_topic
        self._retained: bytes | None = None
        self._unreadable = unreadable
        self.welcome: Up | None = None
        """What the CONNACK says; None before it."""
        self.end: Up | Down | None = None
        """How it ended, once it has."""

    def connected(self, code: int, up: Up) -> bool:
        """The CONNACK came; whether the status is to be asked for now.

        Args:
            code: the reason code.
            up: what the broker takes, if it lets us in.
        """
        if self.welcome is not None:
            return False
        if code:
            refused = code in _REFUSED
            self.end = Down(f"it refuses us: {reason(code)}", refused=refused, code=code)
            return False
        self.welcome = up
        if self.topic is None:
            self._finish()
        return self.topic is not None

    def subscribed(self, code: int) -> None:
        """The SUBACK came."""
        self._unreadable = reason(code) if code >= FAILURE else ""

    def arrived(self, payload: bytes, *, retained: bool) -> None:
        """A message came on the status' topic."""
        if retained and self.end is None:
            self._retained = payload

    def unsubscribed(self) -> None:
        """The UNSUBACK came; what the broker kept came before."""
        if self.end is None:
            self._finish()

    def _finish(self) -> None:
        assert self.welcome is not None
        self.end = replace(self.welcome, retained=self._retained, unreadable=self._unreadable)
