"""Makes room in a full outbox, and notes what was dropped as gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.overflow import Gaps, Overflow, Thinner, every_second, oldest
from edge_agent.ranges import spans
from edge_agent.room import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edge_agent.entry import Entry
    from edge_agent.keeper import Keeper
    from edge_agent.lanes import Lanes
    from edge_agent.room import Bounds
    from edge_agent.stamper import Stamper
    from isotherm.log import Problems

FULL: Final = "the outbox is full: readings are dropped"
WALK: Final = 500
SPARE: Final = 8
"""Gaps that may stand between the oldest readings, in the usual case."""


class Dropper:
    """Drops readings that wait, never those that are on their way.

    Args:
        keeper: has them.
        lanes: know which wait.
        bounds: how much there may be.
        overflow: which to drop.
        troubles: told when it begins and ends.
        new_id: gives a gap its id.
    """

    def __init__(
        self,
        keeper: Keeper,
        lanes: Lanes,
        *,
        bounds: Bounds,
        overflow: Overflow,
        troubles: Problems,
        new_id: Callable[[], int],
    ) -> None:
        self._keeper = keeper
        self._lanes = lanes
        self._overflow = overflow
        self._troubles = troubles
        self._new_id = new_id
        self._room = Room(bounds)
        self._thinner = Thinner()
        self._gaps = Gaps(overflow.value)
        self.memory_gaps = Gaps(overflow.value)
        self.dropped = 0

    def measure(self, rows: int) -> None:
        """Learn what the last commit found."""
        self._room.measure(rows=rows, used=self._keeper.used, free=self._keeper.free)
        # Thinning alone leaves half.
        if rows * 4 < self._room.rows:
            self._troubles.end(FULL)

    def is_open(self, number: int) -> bool:
        """Whether this is a gap that is not sent yet and may grow."""
        return self._gaps.has(number) or self.memory_gaps.has(number)

    def seal(self, ids: Iterable[int]) -> None:
        """These are on their way: the gaps among them grow no more."""
        self._gaps.seal(ids)

    def seal_all(self) -> None:
        """All gaps grow no more."""
        self._gaps.clear()

    def make_room(self, rows: int, names: Stamper, *, now: Entry, fresh: dict[int, Entry]) -> int:
        """Drop what is too much.

        Args:
            rows: in the outbox.
            names: give a gap its place.
            now: an entry of this moment.
            fresh: readings that came just now and are not committed; what is dropped is taken out.

        Returns:
            How many rows there are more now; usually below 0.
        """
        if not self._keeper.safe:
            excess = len(self._keeper.shelf) - self._room.bounds.memory_rows
            dropped = self._from_memory(excess) if excess > 0 else []
            gaps = self.memory_gaps
        else:
            excess = rows - self._room.rows
            dropped = self._from_disk(excess, fresh) if excess > 0 else []
            gaps = self._gaps
        if not dropped:
            return 0
        why = self._room.why if self._keeper.safe else "the disk does not serve"
        self._troubles.begin(FULL, len(dropped), bound=why, overflow=self._overflow.value)
        self.dropped += len(dropped)
        return self._note(dropped, gaps, names, now) - len(dropped)

    def _note(self, dropped: list[Entry], gaps: Gaps, names: Stamper, now: Entry) -> int:
        """Make gaps of them; how many are new."""
        before = len(gaps)
        found = gaps.drop(dropped, names, now=now, new_id=self._new_id)
        for gap in found:
            if self._keeper.safe:
                self._keeper.batch.entries[gap.id] = gap
                self._keeper.batch.seqs[gap.guid] = names.seqs[gap.guid]
            else:
                self._keeper.shelf[gap.id] = gap
        return len(gaps) - before

    def _from_disk(self, excess: int, fresh: dict[int, Entry]) -> list[Entry]:
        if self._overflow is Overflow.DROP_NEWEST:
            # Only what is in this batch: another one may be on its way to the disk.
            mine = [n for n in sorted(fresh) if n in self._keeper.batch.entries][-excess:]
            for number in mine:
                del self._keeper.batch.entries[number]
            return [fresh.pop(number) for number in mine]
        if self._overflow is Overflow.THIN:
            # What came last is thinned like what came before it.
            self._lanes.spill(len(self._lanes.live))
        dropped = self._from_backlog(excess)
        if len(dropped) < excess and self._lanes.live:
            self._lanes.spill(len(self._lanes.live))
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
        for first, last in spans(ids):
            self._lanes.backlog.remove(first, last)
        self._keeper.batch.gone += ids
        return chosen

    def _walk(self, start: int, chunk: int = WALK) -> Iterator[Entry]:
        """The backlog from an id on, read in chunks of so many."""
        for first, last in self._lanes.backlog:
            at = max(first, start)
            while at <= last:
                entries = self._keeper.read(at, last, min(chunk, WALK))
                if not entries:
                    break
                yield from entries
                at = entries[-1].id + 1

    def _from_memory(self, excess: int) -> list[Entry]:
        live = self._lanes.live
        mine = [entry for entry in live if entry.id in self._keeper.shelf and entry.lost is None]
        match self._overflow:
            case Overflow.DROP_NEWEST:
                chosen = mine[-excess:]
            case Overflow.THIN:
                chosen = every_second(mine) or mine[:excess]
            case Overflow.DROP_OLDEST:
                chosen = mine[:excess]
        gone = {entry.id for entry in chosen}
        kept = [entry for entry in live if entry.id not in gone]
        live.clear()
        live.extend(kept)
        for number in gone:
            del self._keeper.shelf[number]
        # They may be on their way to the disk, if it is just coming back.
        self._keeper.batch.gone += gone
        return chosen
