"""What is to be written to the outbox's file, and what waits in memory while the disk fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge_agent.outbox.storage.database import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from edge_agent.outbox.entry import Entry


class Memory(NamedTuple):
    """What memory knows, for a file that follows one that was taken away.

    Attributes:
        facts: of the store; see `Saved`.
        seqs: the last sequence number given, by guid.
        offsets: of the clocks, by boot, nanoseconds.
        entries: that wait in memory too.
        in_flight: ids of the entries that are on their way.
    """

    facts: Mapping[str, str | int]
    seqs: Mapping[str, int]
    offsets: Mapping[str, int]
    entries: Iterable[Entry]
    in_flight: Collection[int]


class WriteQueue:
    """Gathers what the next commit writes; knows what a commit has in hand.

    While the disk does not serve, entries wait apart, in memory alone: they have names of another
    epoch, and may be sent before they are written.
    """

    def __init__(self) -> None:
        self._batch = Batch()
        # What is being committed, or was when that failed.
        self._under_way: Batch | None = None
        self._unsaved: dict[int, Entry] = {}
        self._safe = True

    @property
    def safe(self) -> bool:
        """Whether entries go to the disk; else memory has to do."""
        return self._safe

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not self._batch

    @property
    def urgent(self) -> bool:
        """Whether something waits for its commit; deletes alone have time."""
        return self._batch.urgent

    def add(self, entries: Iterable[Entry], seqs: Mapping[str, int]) -> None:
        """Have entries written with the next commit; one that is there already is replaced.

        Args:
            entries: what waits from now on; in memory alone while the disk does not serve.
            seqs: the last sequence number given, by guid, of their sensors at least.
        """
        if not self._safe:
            self._unsaved.update((entry.id, entry) for entry in entries)
            return
        batch = self._batch
        for entry in entries:
            batch.entries[entry.id] = entry
            batch.seqs[entry.guid] = seqs[entry.guid]

    def remove(self, ids: Collection[int]) -> None:
        """Have entries deleted with the next commit: they were taken, or are dropped."""
        self._batch.gone += ids
        if self._unsaved:
            for number in ids:
                self._unsaved.pop(number, None)

    def cancel(self, ids: Iterable[int], most: int) -> list[Entry]:
        """Take back readings that no commit has in hand: the last of these, `most` of them."""
        waiting = self._batch.entries
        # A gap tells of other readings: in its place would be one that tells of the gap alone.
        mine = [number for number in ids if number in waiting and waiting[number].lost is None]
        return [waiting.pop(number) for number in mine[-most:]]

    def set_aside(self, number: int, why: str) -> None:
        """Have it noted that an entry is not sent until the next start."""
        self._batch.aside[number] = why

    def note(self, facts: Mapping[str, str | int]) -> None:
        """Have facts written with the next commit; see `Saved`."""
        self._batch.facts.update(facts)

    def note_offsets(self, offsets: Mapping[str, int]) -> None:
        """Have the offsets of the clocks written, by boot, nanoseconds."""
        self._batch.offsets.update(offsets)

    def begin_epoch(self, *, fresh: bool) -> None:
        """Have the sequence numbers forgotten that the file has, if its epoch is another now."""
        self._batch.fresh = fresh

    def pending(self, number: int) -> bool:
        """Whether an entry is to be written, or written anew, and is not committed yet."""
        return any(number in batch.entries for batch in self._uncommitted())

    def is_unsaved(self, number: int) -> bool:
        """Whether an entry waits in memory alone, as the disk does not serve."""
        return number in self._unsaved

    @property
    def unsaved(self) -> int:
        """How many such entries there are."""
        return len(self._unsaved)

    def part(self, ids: Iterable[int]) -> tuple[list[Entry], list[int]]:
        """The entries of these ids that wait in memory alone, and the ids of all others."""
        unsaved = self._unsaved
        if not unsaved:
            return [], list(ids)
        rest = [number for number in ids if number not in unsaved]
        return [unsaved[number] for number in ids if number in unsaved], rest

    @property
    def to_delete(self) -> list[int]:
        """Ids of entries that were taken or dropped, and may still be on disk."""
        return sorted(number for batch in self._uncommitted() for number in batch.gone)

    @property
    def unwritten(self) -> dict[int, Entry]:
        """Entries that are to be written or are being written, by id."""
        under_way = {} if self._under_way is None else self._under_way.entries
        return {**self._batch.entries, **under_way}

    def rows_beside(self, missing: Collection[int]) -> int:
        """How many entries wait beside the rows of the file, as of a commit just now.

        Args:
            missing: ids that are in no file; to delete them changes nothing.
        """
        settled = sum(number not in missing for number in self._batch.gone)
        return len(self._batch.entries.keys() | self._unsaved.keys()) - settled

    @property
    def at_risk(self) -> int:
        """Entries that are lost if the process ends now: neither acknowledged nor on disk."""
        return len(self._unsaved) + sum(len(batch.entries) for batch in self._uncommitted())

    def renumber(self, beyond: int, by: int) -> None:
        """Give higher ids to all that is uncommitted; sequence numbers are forgotten.

        Args:
            beyond: ids up to this one stay: their rows are committed.
            by: so much is added.
        """

        def new(number: int) -> int:
            return number + by if number > beyond else number

        for batch in self._uncommitted():
            entries = [entry._replace(id=new(entry.id)) for entry in batch.entries.values()]
            batch.entries = {entry.id: entry for entry in entries}
            batch.gone = [new(number) for number in batch.gone]
            batch.aside = {new(number): why for number, why in batch.aside.items()}
            batch.seqs.clear()
        unsaved = [entry._replace(id=new(entry.id)) for entry in self._unsaved.values()]
        self._unsaved = {entry.id: entry for entry in unsaved}

    def restamp(self, beyond: int, names: Callable[[Entry], Entry]) -> None:
        """Name anew what is uncommitted and has an id beyond this one; `renumber` it first."""
        # In the order of the ids: so were they measured.
        for batch in reversed(self._uncommitted()):
            for number in sorted(number for number in batch.entries if number > beyond):
                if batch is self._under_way and number in self._batch.entries:
                    # The later one is what is written.
                    continue
                entry = batch.entries[number] = names(batch.entries[number])
                batch.seqs[entry.guid] = entry.seq

    def take(self) -> Batch:
        """What the commit that begins now is to write."""
        batch, self._batch = self._batch, Batch()
        self._under_way = batch
        return batch

    def committed(self, batch: Batch) -> None:
        """What `take` gave is on disk."""
        self._under_way = None
        for number, entry in batch.entries.items():
            # A gap may have grown since.
            if self._unsaved.get(number) is entry:
                del self._unsaved[number]

    def go_to_memory(self) -> None:
        """The disk does not serve any more."""
        self._safe = False

    def go_to_disk(self) -> None:
        """It serves again: what came meanwhile follows with the next commit."""
        self._safe = True
        self._batch.entries.update(self._unsaved)

    def merge(self) -> Batch:
        """Have all that is not on disk be one batch, the next to be taken."""
        later = self._batch
        if later.fresh:
            # These numbers belong to the epoch that ended with the file.
            for batch in self._uncommitted():
                batch.seqs.clear()
        whole = self._under_way or Batch()
        whole.entries.update(later.entries)
        whole.entries.update(self._unsaved)
        whole.seqs.update(later.seqs)
        whole.gone += later.gone
        whole.aside.update(later.aside)
        whole.offsets.update(later.offsets)
        whole.facts.update(later.facts)
        whole.fresh = whole.fresh or later.fresh
        self._batch = whole
        return whole

    def add_memory(self, memory: Memory) -> None:
        """Another file follows the one that was lost: it shall know what memory knows."""
        batch = self._batch
        batch.seqs.update(memory.seqs)
        batch.facts.update(memory.facts)
        batch.offsets.update(memory.offsets)
        settled = set(batch.gone)
        batch.entries.update(
            (entry.id, entry)
            for entry in memory.entries
            if entry.id not in settled and entry.id not in batch.entries
        )
        batch.known = {*batch.entries, *settled, *memory.in_flight}

    def _uncommitted(self) -> list[Batch]:
        return [batch for batch in (self._batch, self._under_way) if batch is not None]
