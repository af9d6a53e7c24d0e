"""Lists of sensors in a snapshot: those that were in several states, and those that are silent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Guids that were seen in several states: each counts in all of these, and once in total.

    Attributes:
        total: how many there are.
        sensors: (guid, its states) of some, by guid.
    """

    total: int = 0
    sensors: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A sensor of which nothing has come for long.

    Attributes:
        guid: names the sensor.
        state: where it was last.
        last_seen: when the last trigger with something of it began, UTC as text with Z.
        last_event: the latest time that its readings say.
    """

    guid: str
    state: str
    last_seen: str
    last_event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """The silent sensors.

    Attributes:
        total: how many there are.
        by_state: (state, how many), by state; one that has moved is where it was last.
        sensors: some of them, those that fell silent last first.
    """

    total: int = 0
    by_state: tuple[tuple[str, int], ...] = ()
    sensors: tuple[Silent, ...] = ()
