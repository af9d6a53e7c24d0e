"""What goes next: first what the last ticks gave, and beside it, at a limited rate, the backlog."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.outbox.entry import encoded
from edge_agent.outbox.storage.id_ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.outbox.clock import Timeline
    from edge_agent.outbox.entry import Entry

PACKET_BYTES: Final = 65_536
"""The most that one message carries, unless a single reading is larger."""
LIVE_ROWS: Final = 2_000
"""Entries that are kept in memory to go first; the oldest beyond that are backlog."""
BACKFILL_PACKETS: Final = 4
"""Packets of backlog on their way at once: what is live waits behind no more than these."""
READ_ROWS: Final = 400


class Flight(NamedTuple):
    """The entries of one message that is on its way.

    Attributes:
        ids: of its entries.
        backfill: whether they came from the backlog.
        suspect: whether the broker refused them before.
    """

    ids: list[int]
    backfill: bool = False
    suspect: bool = False


class Lanes:
    """Chooses the next message. Within each lane entries go in the order of their ids.

    Args:
        read: entries of the store from a first to a last id, at most so many; None where the
            store cannot be read now.
        timeline: gives event times; an entry that waits for the clock holds its lane up.
        destination: whom the readings are for.
        rate: entries of the backlog per second.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        read: Callable[[int, int, int], Sequence[Entry] | None],
        timeline: Timeline,
        *,
        destination: str,
        rate: float,
        clock: Callable[[], float],
    ) -> None:
        self._read = read
        self._timeline = timeline
        self._destination = destination
        self._rate = rate
        self._clock = clock
        self._due = 0.0
        self._backfilling = 0
        self._rows = READ_ROWS
        self.live: deque[Entry] = deque()
        self.backlog = Ranges()
        self.blocked: Callable[[int], bool] = lambda _: False

    @property
    def wait(self) -> float:
        """Seconds until the rate lets the next of the backlog go; 0 where that is no matter."""
        if not self.backlog or self._backfilling >= BACKFILL_PACKETS:
            return 0.0
        return max(0.0, self._due - self._clock())

    def add_live(self, entries: Iterable[Entry], *, most: int = LIVE_ROWS) -> None:
        """What the last tick gave; the oldest beyond `most` become backlog."""
        self.live.extend(entries)
        if len(self.live) > most:
            self.spill(len(self.live) - most)

    def spill(self, count: int) -> None:
        """Make the oldest `count` live entries backlog."""
        self.backlog.update(sorted(self.live.popleft().id for _ in range(count)))

    def next(self, most: int, *, backlog: bool = True) -> tuple[bytes, Flight] | None:
        """The next message within `most` bytes; None where nothing may go now.

        Args:
            most: bytes of the payload; a single entry may be longer.
            backlog: whether it may come from there.
        """
        if self.live:
            payload, ids = self._pack(self.live, most)
            if ids:
                for _ in ids:
                    self.live.popleft()
                return payload, Flight(ids)
        now = self._clock()
        if (
            not (backlog and self.backlog)
            or self._backfilling >= BACKFILL_PACKETS
            or now < self._due
        ):
            return None
        return self._next_backfill(now, most)

    def again(self, ids: Sequence[int], most: int) -> tuple[bytes, Flight] | None:
        """A message with these entries alone, as far as they are still there."""
        entries: list[Entry] = []
        for first, last in Ranges((number, number) for number in ids):
            found = self._read(first, last, last - first + 1)
            if found is None:
                self.backlog.update(sorted(ids))
                return None
            entries += found
        payload, chosen = self._pack(entries, most)
        self.backlog.update(entry.id for entry in entries[len(chosen) :])
        return (payload, Flight(chosen, suspect=True)) if chosen else None

    def take_back(self, ids: Sequence[int]) -> bool:
        """Have entries of the live lane go again, in their place; False where they are not read."""
        entries: list[Entry] = []
        for first, last in Ranges((number, number) for number in ids):
            found = self._read(first, last, last - first + 1)
            if found is None:
                return False
            entries += found
        self.put_back(entries)
        return True

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Have entries of the live lane go again, in their place."""
        merged = sorted([*entries, *self.live], key=lambda entry: entry.id)
        self.live.clear()
        self.live.extend(merged)

    def landed(self, flight: Flight) -> None:
        """A message is no longer on its way."""
        self._backfilling -= flight.backfill

    def _next_backfill(self, now: float, most: int) -> tuple[bytes, Flight] | None:
        for first, last in self.backlog:
            entries = self._read(first, last, self._rows)
            if entries is None:
                return None
            if not entries:
                self.backlog.remove(first, last)
                continue
            payload, ids = self._pack(entries, most)
            if not ids:
                return None
            # What lies between the ids that were read is no longer there.
            self.backlog.remove(first, ids[-1])
            self._rows = min(1_000, len(ids) + 8) if len(ids) < len(entries) else READ_ROWS
            self._due = max(self._due, now - 1.0) + len(ids) / self._rate
            self._backfilling += 1
            return payload, Flight(ids, backfill=True)
        return None

    def _pack(self, entries: Iterable[Entry], most: int) -> tuple[bytes, list[int]]:
        lines: list[bytes] = []
        ids: list[int] = []
        size = -1
        for entry in entries:
            found = self._timeline.time(entry)
            if found is None or self.blocked(entry.id):
                break
            time, trust = found
            line = encoded(entry, destination=self._destination, event_time=time, clock=trust)
            size += 1 + len(line)
            if ids and size > most:
                break
            lines.append(line)
            ids.append(entry.id)
        return b"\n".join(lines), ids
