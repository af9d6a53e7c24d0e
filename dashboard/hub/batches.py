"""Which snapshots tell again what was told before, by their batches and their times.

A job that crashed between its snapshot and its commit counts the same batch once more: the number
of the last batch comes again, with a later time. A checkpoint that was restored takes up numbers
that are further back, also with later times; what it counts then is new to the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from isotherm.contract.event_time import parse_event_time

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUERIES: Final = 16


class _Last(NamedTuple):
    """Of one query: its last batch, its highest, and its latest end."""

    batch: int
    highest: int
    end: int


class Batches:
    """Remembers how far each of the last queries was."""

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}

    def again(self, snapshot: Mapping[str, Any]) -> bool:
        """Whether it was told before; one without records of its own never was."""
        last = self._last.get(snapshot["query_id"])
        batch = snapshot["batch_id"]
        if last is None or batch is None or snapshot.get("idle"):
            return False
        if parse_event_time(snapshot["window"]["end"]) > last.end:
            return bool(batch == last.batch)
        # Read once more from the topic; but a job whose clock was set back goes on counting.
        return bool(batch <= last.highest)

    def add(self, snapshot: Mapping[str, Any]) -> None:
        """Remember one."""
        query, batch = snapshot["query_id"], snapshot["batch_id"]
        if batch is None or snapshot.get("idle"):
            return
        end = parse_event_time(snapshot["window"]["end"])
        last = self._last.pop(query, _Last(batch, batch, end))
        self._last[query] = _Last(batch, max(batch, last.highest), max(end, last.end))
        for old in list(self._last)[:-_QUERIES]:
            del self._last[old]
