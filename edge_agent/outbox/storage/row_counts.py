"""How many rows of each sensor and epoch a store holds: what is lost if its file is."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.outbox.entry import Entry

Key = tuple[str, str]
"""The guid and the epoch."""

RECENT: Final = 4_000
"""So many of the newest rows are known one by one: those that are on their way are among them."""


class Span(NamedTuple):
    """Rows of one sensor and epoch.

    Attributes:
        state: where the sensor is, one of the 51 codes.
        rows: how many.
        first: no row has a lower seq; there may be none as low.
        last: the same for higher.
    """

    state: str
    rows: int
    first: int
    last: int

    def joined(self, other: Span) -> Span:
        """Both as one."""
        first, last = min(self.first, other.first), max(self.last, other.last)
        return Span(self.state, self.rows + other.rows, first, last)


class RowCounts:
    """The account of one store; kept with each commit, so that it needs no look at the file."""

    def __init__(self) -> None:
        self._spans: dict[Key, Span] = {}
        self._recent: dict[int, Key] = {}
        self._order: deque[int] = deque()

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(span.rows for span in self._spans.values())

    def add(self, entries: Iterable[Entry]) -> None:
        """Rows that were written, and did not stand there before."""
        for entry in entries:
            key = (entry.guid, entry.epoch)
            self._one(key, entry.seq, entry.state)
            self._recent[entry.id] = key
            self._order.append(entry.id)
        while len(self._order) > RECENT:
            self._recent.pop(self._order.popleft(), None)

    def count(self, rows: Iterable[tuple[Any, Any, Any, Any]]) -> None:
        """Rows that were there before: guid, epoch in bytes, seq, state."""
        for guid, epoch, seq, state in rows:
            # A damaged row is lost by its own doing, and is logged when it is read.
            if isinstance(guid, str) and isinstance(epoch, bytes) and isinstance(seq, int):
                self._one((guid, epoch.hex()), seq, str(state))

    def _one(self, key: Key, seq: int, state: str) -> None:
        known = self._spans.get(key)
        if known is None:
            self._spans[key] = Span(state, 1, seq, seq)
        else:
            _, rows, first, last = known
            self._spans[key] = Span(state, rows + 1, min(first, seq), max(last, seq))

    def remove(self, counts: Mapping[Key, int]) -> None:
        """Rows that were deleted."""
        for key, count in counts.items():
            span = self._spans.get(key)
            if span is None:
                continue
            if span.rows <= count:
                del self._spans[key]
            else:
                self._spans[key] = span._replace(rows=span.rows - count)

    def names(self, number: int) -> bool:
        """Whether a row is known one by one."""
        return number in self._recent

    def lost(self, kept: RowCounts, known: Iterable[int]) -> dict[Key, Span]:
        """What was here and is in no other place.

        Args:
            kept: what the store that follows has of it.
            known: ids of rows that it has not, and that are not lost: memory has them, or they
                were settled.
        """
        elsewhere = Counter(self._recent[number] for number in known if number in self._recent)
        found = {}
        for key, span in self._spans.items():
            still = kept._spans.get(key)
            rows = span.rows - elsewhere[key] - (0 if still is None else still.rows)
            if rows > 0:
                found[key] = span._replace(rows=rows)
        return found
