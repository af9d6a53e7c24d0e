"""Where alerts go, seen from the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.alerts.alert import Alert


class AlertSink(Protocol):
    """Tells the world what is firing. It is told all of it again and again, and finds what is new.

    Attributes:
        name: for log and metrics.
        sent: messages that were delivered.
        failures: attempts that failed.
        given_up: messages that were never delivered.
        foreign: messages that it found and nobody of us had written.
    """

    name: str
    sent: int
    failures: int
    given_up: int
    foreign: int

    def update(self, firing: Sequence[Alert], now: int) -> None:
        """Learn what is firing; never waits.

        Args:
            firing: all that is.
            now: nanoseconds since 1970.
        """

    def close(self) -> None:
        """End; waits 2 s at most."""
