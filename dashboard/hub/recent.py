"""The snapshots of the last hour, in the order in which they came."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.event_time import NS_PER_SECOND

if TYPE_CHECKING:
    from dashboard.hub.event import Event

KEPT_NS: Final = 3600 * NS_PER_SECOND
MOST_BYTES: Final = 64 << 20
"""Triggers of less than a second may make more than an hour's worth of them."""


class Ring:
    """Keeps what a stream that was lost may ask for again."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._bytes = 0

    def __contains__(self, identifier: str) -> bool:
        """Whether an event is here."""
        return identifier in self._events

    @property
    def newest(self) -> Event | None:
        """The last; None before the first."""
        return self._events[next(reversed(self._events))] if self._events else None

    def add(self, event: Event) -> bool:
        """Take one.

        Returns:
            False where all scopes that it has are here already.
        """
        known = self._events.get(event.id)
        if known is not None:
            scopes = _scopes(known)
            if {**scopes, **event.snapshot["scopes"]} == scopes:
                return False
            # A scope came late: it is the same snapshot, and there is more of it.
            self._bytes -= len(known.body)
        elif (newest := self.newest) is not None:
            # Nobody asks for its parts again, which take ten times the memory of its bytes.
            self._events[newest.id] = replace(newest, snapshot={})
        self._events[event.id] = event
        self._bytes += len(event.body)
        oldest = event.received - KEPT_NS
        while len(self._events) > 1:
            first = self._events[next(iter(self._events))]
            if first.received >= oldest and self._bytes <= MOST_BYTES:
                break
            self._bytes -= len(self._events.pop(first.id).body)
        return True

    def after(self, identifier: str, *, most_bytes: int) -> list[Event] | None:
        """All that came later than one; None where that one is not known, or they are too many.

        Args:
            identifier: of the event.
            most_bytes: of their bodies.
        """
        if identifier not in self._events:
            return None
        found: list[Event] = []
        for event in reversed(self._events.values()):
            if event.id == identifier:
                return found[::-1]
            found.append(event)
            most_bytes -= len(event.body)
            if most_bytes < 0:
                return None
        return None


def _scopes(event: Event) -> dict[str, Any]:
    scopes: dict[str, Any] = (event.snapshot or json.loads(event.body))["scopes"]
    return scopes
