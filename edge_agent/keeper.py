"""Keeps entries: on disk, one commit per interval; in memory while the disk does not take them.

A reading is sent after its commit, or under an epoch of its own that never reaches the disk's
counters: so no number is given twice, whatever the disk remembers when it is back.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from edge_agent.batch import Batch
from edge_agent.depot import Claim, Opened, open_store, set_aside
from edge_agent.errors import OutboxInUseError
from edge_agent.private import make_folder
from edge_agent.store import Saved, Store, is_damage
from edge_agent.writer import GoneError, Writer, commit
from isotherm.backoff import Backoff
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from edge_agent.entry import Entry
    from edge_agent.held import Held
    from edge_agent.writer import Outcome
    from isotherm.log import Log
    from isotherm.tasks import Tasks

STALL: Final = 5.0
"""Seconds that a commit may take before readings go on in memory."""


class Keeper:
    """See the module.

    Args:
        path: of the outbox's file.
        log: told once when the disk fails, and once when it is back.
        interval: seconds between two commits.
        clock: seconds, monotonic.
        reopened: called with what was found when the file had to be opened anew.
        released: called with what is committed now.
        ours: whether a file that stands in the outbox's place is this very outbox.
        moved: called when the file was taken away, and another one follows it: what memory knows is
            to be put in the batch.
        recovered: called once a file that followed another one has all that could be had.
        tasks: among which the thread is that commits.
    """

    def __init__(
        self,
        path: Path,
        *,
        log: Log,
        interval: float,
        clock: Callable[[], float],
        reopened: Callable[[Opened], None],
        released: Callable[[Batch], None],
        ours: Callable[[Saved], bool],
        moved: Callable[[Batch], None],
        recovered: Callable[[Outcome, int], None],
        tasks: Tasks,
    ) -> None:
        self._path = path
        self._log = log
        self._interval = interval
        self._clock = clock
        self._reopened = reopened
        self._released = released
        self._ours = ours
        self._moved = moved
        self._recovered = recovered
        self._source: Store | None = None
        self._before: Held | None = None
        self._closed: Held | None = None
        self._hindrance = Problem(log.warning, "the outbox cannot be opened anew yet")
        self._writer = Writer(tasks)
        self._backoff = Backoff(first=1.0, longest=30.0)
        self._claim: Claim | None = None
        self._opened: Opened | None = None
        self._out: Batch | None = None
        self._damage = ""
        self._started = 0.0
        self._entered = 0.0
        self._retry_at = 0.0
        self.batch = Batch()
        self.shelf: dict[int, Entry] = {}
        self.safe = True
        self.used = 0
        self.free: int | None = None
        self.commits = 0
        self.wrong = 0

    def open(self) -> None:
        """Open the file; where that fails, memory has to do until it works.

        Raises:
            OutboxInUseError: another agent has it.
        """
        try:
            self._adopt(self._open(check=True))
        except OutboxInUseError:
            raise
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return
        self._start(self._clock())
        self.settle(STALL)

    def fileno(self) -> int:
        """Readable when a commit is done."""
        return self._writer.fileno()

    def pending(self, number: int) -> bool:
        """Whether an entry is to be written, or written anew, and is not committed yet."""
        return any(number in batch.entries for batch in self._uncommitted())

    @property
    def to_delete(self) -> list[int]:
        """Ids of entries that were taken or dropped, and may still stand on disk."""
        return sorted(number for batch in self._uncommitted() for number in batch.gone)

    @property
    def uncommitted(self) -> int:
        """Entries that are neither on disk nor on the shelf: lost if the process ends now."""
        return sum(len(batch.entries) for batch in self._uncommitted())

    @property
    def stranded(self) -> int:
        """Entries in a file that has no name any more, and in no other yet."""
        return 0 if self._source is None else self._source.held.rows

    def turn(self, now: float) -> float:
        """Begin and hear of commits; never blocks.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        if (outcome := self._writer.poll()) is not None:
            self._hear(outcome)
        if self._writer.busy:
            if self.safe and now - self._started > STALL:
                self._fail(TimeoutError(f"a commit takes longer than {STALL:.0f} s"))
            return STALL
        if not self.safe:
            if now >= self._retry_at:
                self._retry()
            return max(0.0, self._retry_at - now)
        if not self.batch:
            return STALL
        if self.batch.hurries:
            due = self._entered + self._interval
        else:
            # Deletes ride with the next entries, if these come soon.
            due = self._started + 2 * self._interval
        if now >= due and self._locked():
            self._start(now)
        return max(0.0, due - now)

    def read(self, first: int, last: int, limit: int) -> Sequence[Entry] | None:
        """Entries on disk; None where it cannot be read now. Rows that are damaged are dropped."""
        if self._opened is None or self._source is not None:
            # What the file before had is still being taken over.
            return None
        entries: list[Entry] = []
        while not entries:
            try:
                entries, wrong = self._opened.store.read(first, last, limit)
            except sqlite3.Error as error:
                if self.safe:
                    self._fail(error)
                return None
            if not wrong:
                break
            self.wrong += len(wrong)
            self.batch.gone += wrong
            self._log.error("damaged rows in the outbox are lost", rows=len(wrong))
            first = max(wrong) + 1
        return entries

    def rename(
        self, entries: Iterable[Entry], seqs: dict[str, int], facts: dict[str, str | int]
    ) -> bool:
        """Write a new epoch and entries that move to it, at once; False where the disk fails."""
        if self._opened is None or not self.safe or self._writer.busy or not self._in_place():
            return False
        batch = Batch(
            entries={entry.id: entry for entry in entries}, seqs=seqs, facts=facts, fresh=True
        )
        outcome = commit(self._opened.store, batch)
        if outcome.error is not None:
            self._fail(outcome.error)
        return outcome.error is None

    def flush(self, timeout: float) -> bool:
        """Commit what there is, for so many seconds at most for each commit; whether it is done."""
        self.settle(timeout)
        if self.safe and self.batch and not self._writer.busy and self._locked():
            self._start(self._clock())
            self.settle(timeout)
        return self.safe and not self._writer.busy

    def hurry(self) -> None:
        """From now on commit as soon as the last commit is done."""
        self._interval = 0.0

    def settle(self, timeout: float) -> None:
        """Wait for the commit that is under way, for so many seconds at most."""
        if (outcome := self._writer.poll(timeout)) is not None:
            self._hear(outcome)

    def close(self, timeout: float) -> None:
        """Commit what there is, for so many seconds at most, and close the file."""
        self.flush(timeout / 2)
        busy = self._writer.busy
        self._writer.close()
        if busy:
            return
        for store in (self._source, None if self._opened is None else self._opened.store):
            if store is not None:
                store.close()
        if self._claim is not None:
            self._claim.release()

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
        shelf = [entry._replace(id=new(entry.id)) for entry in self.shelf.values()]
        self.shelf.clear()
        self.shelf.update((entry.id, entry) for entry in shelf)

    def restamp(self, beyond: int, names: Callable[[Entry], Entry]) -> None:
        """Name anew what is uncommitted and has an id beyond this one; `renumber` it first."""
        # In the order of the ids: so were they measured.
        for batch in reversed(self._uncommitted()):
            for number in sorted(number for number in batch.entries if number > beyond):
                if batch is self._out and number in self.batch.entries:
                    # The later one is what is written.
                    continue
                entry = batch.entries[number] = names(batch.entries[number])
                batch.seqs[entry.guid] = entry.seq

    @property
    def under_way(self) -> dict[int, Entry]:
        """Entries that were given to the disk, and are not known to be committed."""
        return {} if self._out is None else self._out.entries

    def _uncommitted(self) -> list[Batch]:
        return [batch for batch in (self.batch, self._out) if batch is not None]

    def _start(self, now: float) -> None:
        assert self._opened is not None
        self._started = now
        if self.batch.hurries:
            self._entered = now
        self._out, self.batch = self.batch, Batch()
        self._writer.start(self._opened.store, self._out)

    def _hear(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._fail(outcome.error)
            return
        self.commits += 1
        self.used, self.free = outcome.used, outcome.free
        self._out = None
        for number, entry in outcome.batch.entries.items():
            # A gap may have grown since.
            if self.shelf.get(number) is entry:
                del self.shelf[number]
        self._released(outcome.batch)
        if outcome.batch.before is not None:
            self._take_stock(outcome)
        if not self.safe:
            self.safe = True
            self._backoff.reset()
            # What came while this was being committed follows with the next commit.
            self.batch.entries.update(self.shelf)
            self._log.warning("over: the outbox is on disk again")

    def _locked(self) -> bool:
        """Whether no other agent can have the file; puts a lock that was removed back."""
        if self._claim is None or self._claim.holds:
            return True
        try:
            claim = Claim(self._path)
        except FileNotFoundError:
            # The folder is gone too: the commit finds that out.
            return True
        except OSError as error:
            self._fail(GoneError(f"its lock was removed, and cannot be had again: {error}"))
            return False
        self._claim.release()
        self._claim = claim
        self._log.warning("the outbox's lock was removed under the agent: it is made anew")
        return True

    def _take_stock(self, outcome: Outcome) -> None:
        """All that could be had stands in the file that follows the lost one."""
        assert self._opened is not None
        if self._source is not None:
            self._source.close()
        self._source = self._before = None
        self._recovered(outcome, self._opened.store.held.rows)

    def _fail(self, error: Exception) -> None:
        self._retry_at = self._clock() + self._backoff.next()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._damage = str(error)
        if isinstance(error, GoneError):
            # Nothing to wait for: another file can be made at once.
            self._retry_at = self._clock()
        if not self.safe:
            return
        self.safe = False
        if isinstance(error, GoneError):
            self._log.error(
                "the outbox was taken away under the agent: it is opened anew",
                file=self._path,
                why=error,
            )
        else:
            self._log.error("the outbox goes on in memory: its disk does not serve", why=str(error))

    def _retry(self) -> None:
        """Open the file anew, and commit all that could not be committed."""
        self._retry_at = self._clock() + self._backoff.next()
        try:
            self._reopen()
        except (sqlite3.Error, OSError) as error:
            self._hindrance.begin(str(error), why=error)
            return
        self._hindrance.end()
        if self.batch.fresh:
            # These numbers belong to the epoch that ended with the file.
            for batch in self._uncommitted():
                batch.seqs.clear()
        whole = self._out or Batch()
        whole.entries.update(self.batch.entries)
        whole.entries.update(self.shelf)
        whole.seqs.update(self.batch.seqs)
        whole.gone += self.batch.gone
        whole.aside.update(self.batch.aside)
        whole.offsets.update(self.batch.offsets)
        whole.facts.update(self.batch.facts)
        whole.fresh = whole.fresh or self.batch.fresh
        whole.source, whole.before = self._source, self._before
        self.batch = whole
        if whole.before is not None:
            self._moved(whole)
        self._start(self._clock())

    def _reopen(self) -> None:
        store = None if self._opened is None else self._opened.store
        if self._claim is not None and not self._claim.holds:
            # The lock went with the folder, and another agent would find none.
            self._claim.release()
            self._claim = None
        if self._source is not None or (store is not None and not self._in_place()):
            self._follow(store)
            return
        if store is not None:
            self._closed = store.held
            store.close()
            self._opened = None
        opened = self._open(check=False)
        if opened.set_aside is not None and self._before is None:
            # Kept until a commit: the first may fail, and this is no longer in any file.
            self._before = self._closed
        self._adopt(opened)

    def _follow(self, store: Store | None) -> None:
        """Go on in another file: that which was opened has no name any more, but can be read."""
        if self._source is None:
            self._source = store
            if self._before is None and store is not None:
                self._before = store.held
        elif store is not None:
            if self._in_place() and not self._damage:
                # Ours, from a try before: set aside each time it would fill the disk.
                self._claim_path()
                return
            store.close()
        self._opened = None
        self._damage = ""
        self._claim_path()
        if any(os.path.lexists(f"{self._path}{side}") for side in ("", "-wal", "-shm")):
            self._meet()
        if self._opened is None:
            found = Store(self._path)
            self._opened = Opened(found, found.load())

    def _meet(self) -> None:
        """A file stands in the outbox's place: take it where it is ours, else set it aside."""
        assert self._source is not None
        if not self._source.readable():
            with contextlib.suppress(sqlite3.Error):
                found = Store(self._path)
                saved = found.load()
                if self._ours(saved):
                    self._opened = Opened(found, saved)
                    return
                found.close()
        aside = set_aside(self._path, "found", time.time())
        self._log.warning("what stood in the outbox's place is set aside", file=aside)

    def _in_place(self) -> bool:
        """Whether the file that is open is the one that has the name."""
        if self._opened is None or (self._claim is not None and not self._claim.holds):
            return False
        with contextlib.suppress(sqlite3.Error):
            return not self._opened.store.look()
        return True

    def _claim_path(self) -> None:
        if self._claim is None:
            make_folder(self._path.parent)
            self._claim = Claim(self._path)

    def _open(self, *, check: bool) -> Opened:
        self._claim_path()
        return open_store(self._path, self._damage, check=check)

    def _adopt(self, opened: Opened) -> None:
        if opened.set_aside is not None:
            self._damage = ""
            self._log.error(
                "the outbox was damaged: set aside, and salvaged",
                file=opened.set_aside,
                why=opened.why,
                salvaged=opened.salvaged,
            )
        self._opened = opened
        self._reopened(opened)
