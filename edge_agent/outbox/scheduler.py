"""What goes next: first what the last ticks gave, and beside it, at a limited rate, the backlog."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.outbox.entry import encoded
from edge_agent.outbox.storage.id_ranges import Ranges, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.outbox.clock import Timeline
    from edge_agent.outbox.entry import Entry
    from edge_agent.outbox.storage.persistence import Persistence

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


class Scheduler:
    """Chooses the next message. Within each lane entries go in the order of their ids.

    Args:
        storage: has the entries on disk.
        timeline: gives event times; an entry that waits for the clock holds its lane up.
        destination: whom the readings are for.
        rate: entries of the backlog per second.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        storage: Persistence,
        timeline: Timeline,
        *,
        destination: str,
        rate: float,
        clock: Callable[[], float],
    ) -> None:
        self._read = storage.read
        self._queue = storage.queue
        self._timeline = timeline
        self._destination = destination
        self._rate = rate
        self._clock = clock
        self._due = 0.0
        self._backfilling = 0
        self._rows = READ_ROWS
        self._live: deque[Entry] = deque()
        self._backlog = Ranges()

    @property
    def wait(self) -> float:
        """Seconds until the rate lets the next of the backlog go; 0 where that is no matter."""
        if not self._backlog or self._backfilling >= BACKFILL_PACKETS:
            return 0.0
        return max(0.0, self._due - self._clock())

    def add_live(self, entries: Iterable[Entry], *, most: int = LIVE_ROWS) -> None:
        """What the last tick gave; the oldest beyond `most` become backlog."""
        self._live.extend(entries)
        if len(self._live) > most:
            self.spill(len(self._live) - most)

    @property
    def live(self) -> tuple[Entry, ...]:
        """The live lane, in its order."""
        return tuple(self._live)

    @property
    def live_count(self) -> int:
        """How many entries the live lane has."""
        return len(self._live)

    def replace_live(self, entries: Iterable[Entry]) -> None:
        """Have these entries, in this order, be the live lane."""
        self._live = deque(entries)

    @property
    def backlog(self) -> list[tuple[int, int]]:
        """Ranges of ids, first and last, within which the backlog is."""
        return list(self._backlog)

    def set_backlog(self, first: int, last: int) -> None:
        """Have the backlog be all rows of a file, by their lowest and highest id; 0 for none."""
        self._backlog.clear()
        if last:
            self._backlog.add(first, last)

    def move_to_backlog(self, ids: Iterable[int]) -> None:
        """Have entries go when it is the backlog's turn; they are not in the live lane."""
        self._backlog.update(sorted(ids))

    def remove_from_backlog(self, ids: Iterable[int]) -> None:
        """These are gone, or go some other way."""
        for first, last in spans(ids):
            self._backlog.remove(first, last)

    def spill_all(self) -> None:
        """Make all live entries backlog."""
        self.spill(len(self._live))

    def spill(self, count: int) -> None:
        """Make the oldest `count` live entries backlog."""
        self._backlog.update(sorted(self._live.popleft().id for _ in range(count)))

    def next(self, most: int, *, backlog: bool = True) -> tuple[bytes, Flight] | None:
        """The next message within `most` bytes; None where nothing may go now.

        Args:
            most: bytes of the payload; a single entry may be longer.
            backlog: whether it may come from there.
        """
        if self._live:
            payload, ids = self._pack(self._live, most)
            if ids:
                for _ in ids:
                    self._live.popleft()
                return payload, Flight(ids)
        now = self._clock()
        if (
            not (backlog and self._backlog)
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
                self._backlog.update(sorted(ids))
                return None
            entries += found
        payload, chosen = self._pack(entries, most)
        self._backlog.update(entry.id for entry in entries[len(chosen) :])
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

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Have entries of the live lane go again, in their place."""
        if not entries:
            return
        self._live = deque(sorted([*entries, *self._live], key=lambda entry: entry.id))

    def landed(self, flight: Flight) -> None:
        """A message is no longer on its way."""
        self._backfilling -= flight.backfill

    def _next_backfill(self, now: float, most: int) -> tuple[bytes, Flight] | None:
        for first, last in self._backlog:
            entries = self._read(first, last, self._rows)
            if entries is None:
                return None
            if not entries:
                self._backlog.remove(first, last)
                continue
            payload, ids = self._pack(entries, most)
            if not ids:
                return None
            # What lies between the ids that were read is no longer there.
            self._backlog.remove(first, ids[-1])
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
            if found is None or self._queue.pending(entry.id):
                break
            time, trust = found
            line = encoded(entry, destination=self._destination, event_time=time, clock=trust)
            size += 1 + len(line)
            if ids and size > most:
                break
            lines.append(line)
            ids.append(entry.id)
        return b"\n".join(lines), ids
