"""Makes room in a full outbox, and notes what was dropped as gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.outbox.overflow.policy import Gaps, Overflow, Room, Thinner, every_second, oldest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from edge_agent.outbox.entry import Entry
    from edge_agent.outbox.identity import Stamper
    from edge_agent.outbox.overflow.policy import Bounds
    from edge_agent.outbox.scheduler import Scheduler
    from edge_agent.outbox.storage.persistence import Persistence
    from isotherm.log import Problems

FULL: Final = "the outbox is full: readings are dropped"
WALK: Final = 500
SPARE: Final = 8
"""Gaps that may stand between the oldest readings, in the usual case."""


class Evicted(NamedTuple):
    """What was dropped, and the gaps that say so.

    Attributes:
        readings: that were dropped.
        gaps: how many gaps are new; others grew.
    """

    readings: Sequence[Entry]
    gaps: int


class Eviction:
    """Drops readings that wait, never those that are on their way.

    Args:
        storage: has them.
        scheduler: knows which wait.
        bounds: how much there may be, and which to drop beyond that.
        troubles: gets the beginning and the end of it.
        new_id: gives a gap its id.
    """

    def __init__(
        self,
        storage: Persistence,
        scheduler: Scheduler,
        *,
        bounds: Bounds,
        troubles: Problems,
        new_id: Callable[[], int],
    ) -> None:
        self._storage = storage
        self._queue = storage.queue
        self._scheduler = scheduler
        self._overflow = bounds.overflow
        self._troubles = troubles
        self._new_id = new_id
        self._room = Room(bounds)
        self._thinner = Thinner()
        self._gaps = Gaps(bounds.overflow.value)
        self._memory_gaps = Gaps(bounds.overflow.value)
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Readings that were dropped, or were lost with a file, since the agent started."""
        return self._dropped

    def count_lost(self, readings: int) -> None:
        """So many readings were lost with a file."""
        self._dropped += readings

    def measure(self, rows: int) -> None:
        """Learn what the last commit found."""
        self._room.measure(rows=rows, used=self._storage.used, free=self._storage.free)
        # Thinning alone leaves half.
        if rows * 4 < self._room.rows:
            self._troubles.end(FULL)

    def is_open(self, number: int) -> bool:
        """Whether this is a gap that is not sent yet and may grow."""
        return self._gaps.has(number) or self._memory_gaps.has(number)

    def seal(self, ids: Iterable[int]) -> None:
        """These are on their way: the gaps among them grow no more."""
        self._gaps.seal(ids)

    def seal_all(self) -> None:
        """All gaps on disk grow no more."""
        self._gaps.clear()

    def seal_unsaved(self) -> list[Entry]:
        """The gaps that wait in memory alone; they grow no more."""
        self._forget_saved()
        gaps = self._memory_gaps.clear()
        self._scheduler.remove_from_backlog(gap.id for gap in gaps)
        return gaps

    def make_room(
        self, rows: int, names: Stamper, *, now: Entry, fresh: Iterable[int]
    ) -> Evicted | None:
        """Drop what is too much; None where nothing is.

        Args:
            rows: in the outbox.
            names: give a gap its place.
            now: an entry of this moment.
            fresh: ids of the readings that are not committed yet.
        """
        if not self._queue.safe:
            self._forget_saved()
            excess = self._queue.unsaved - self._room.bounds.memory_rows
            dropped = self._from_memory(excess) if excess > 0 else []
            gaps = self._memory_gaps
        else:
            excess = rows - self._room.rows
            dropped = self._from_disk(excess, fresh) if excess > 0 else []
            gaps = self._gaps
        if not dropped:
            return None
        why = self._room.why if self._queue.safe else "the disk does not serve"
        self._troubles.begin(FULL, len(dropped), bound=why, overflow=self._overflow.value)
        self._dropped += len(dropped)
        before = len(gaps)
        self._queue.add(gaps.drop(dropped, names, now=now, new_id=self._new_id), names.seqs)
        return Evicted(dropped, len(gaps) - before)

    def _forget_saved(self) -> None:
        """Gaps of an earlier time without a disk, which is over: they are on disk, or sent."""
        self._memory_gaps.keep(self._queue.is_unsaved)

    def _from_disk(self, excess: int, fresh: Iterable[int]) -> list[Entry]:
        if self._overflow is Overflow.DROP_NEWEST:
            # Only what no commit has in hand: another batch may be on its way to the disk.
            return self._queue.cancel(sorted(fresh), excess)
        if self._overflow is Overflow.THIN:
            # What came last is thinned like what came before it.
            self._scheduler.spill_all()
        dropped = self._from_backlog(excess)
        if len(dropped) < excess and self._scheduler.live_count:
            self._scheduler.spill_all()
            dropped += self._from_backlog(excess - len(dropped))
        return dropped

    def _from_backlog(self, excess: int) -> list[Entry]:
        dropped: list[Entry] = []
        while self._overflow is Overflow.THIN and len(dropped) < excess:
            chosen = self._thinner.choose(self._walk)
            if not chosen:
                break
            dropped += self._take(chosen)
        wanted = max(0, excess - len(dropped))
        return dropped + self._take(oldest(self._walk(0, wanted + SPARE), wanted))

    def _take(self, chosen: list[Entry]) -> list[Entry]:
        ids = [entry.id for entry in chosen]
        self._scheduler.remove_from_backlog(ids)
        self._queue.remove(ids)
        return chosen

    def _walk(self, start: int, chunk: int = WALK) -> Iterator[Entry]:
        """The backlog from an id on, read in chunks of so many."""
        for first, last in self._scheduler.backlog:
            at = max(first, start)
            while at <= last:
                entries = self._storage.read(at, last, min(chunk, WALK))
                if not entries:
                    break
                yield from entries
                at = entries[-1].id + 1

    def _from_memory(self, excess: int) -> list[Entry]:
        queue, live = self._queue, self._scheduler.live
        mine = [entry for entry in live if entry.lost is None and queue.is_unsaved(entry.id)]
        match self._overflow:
            case Overflow.DROP_NEWEST:
                chosen = mine[-excess:]
            case Overflow.THIN:
                chosen = every_second(mine) or mine[:excess]
            case Overflow.DROP_OLDEST:
                chosen = mine[:excess]
        gone = {entry.id for entry in chosen}
        self._scheduler.replace_live(entry for entry in live if entry.id not in gone)
        # They may be on their way to the disk, if it is just coming back.
        queue.remove(gone)
        return chosen
