"""The snapshots of the last hour, in the order in which they came."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from contract.moment import NS_PER_SECOND

if TYPE_CHECKING:
    from aggregator.dashboard.event import Event

KEPT_NS: Final = 3600 * NS_PER_SECOND
MOST_BYTES: Final = 64 << 20
"""Triggers of less than a second may make more than an hour's worth of them."""


class Ring:
    """Keeps what a stream that was lost may ask for again."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._bytes = 0

    @property
    def newest(self) -> Event | None:
        """The last; None before the first."""
        return self._events[-1] if self._events else None

    def add(self, event: Event) -> bool:
        """Take one.

        Returns:
            False where all scopes that it has are here already.
        """
        for place, known in enumerate(self._events):
            if known.id == event.id:
                scopes = known.snapshot["scopes"]
                if {**scopes, **event.snapshot["scopes"]} == scopes:
                    return False
                # A scope came late: it is the same snapshot, and there is more of it.
                self._bytes += len(event.body) - len(known.body)
                self._events[place] = event
                return True
        self._events.append(event)
        self._bytes += len(event.body)
        oldest = event.received - KEPT_NS
        while len(self._events) > 1 and (
            self._events[0].received < oldest or self._bytes > MOST_BYTES
        ):
            self._bytes -= len(self._events.popleft().body)
        return True

    def after(self, identifier: str) -> list[Event] | None:
        """All that came later than one; None where that one is not known."""
        found: list[Event] = []
        for event in reversed(self._events):
            if event.id == identifier:
                return found[::-1]
            found.append(event)
        return None
