"""Keeps entries: on disk, one commit per interval; in memory while the disk does not take them.

A reading is sent after its commit, or under an epoch of its own that never reaches the disk's
counters: so no number is given twice, whatever the disk remembers when it is back.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from contract.backoff import Backoff
from edge_agent.batch import Batch
from edge_agent.depot import Claim, Opened, open_store
from edge_agent.errors import OutboxInUseError
from edge_agent.store import is_damage
from edge_agent.writer import Writer, commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from contract.log import Log
    from edge_agent.entry import Entry
    from edge_agent.writer import Outcome

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
    ) -> None:
        self._path = path
        self._log = log
        self._interval = interval
        self._clock = clock
        self._reopened = reopened
        self._released = released
        self._writer = Writer()
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
        if now >= due:
            self._start(now)
        return max(0.0, due - now)

    def read(self, first: int, last: int, limit: int) -> Sequence[Entry] | None:
        """Entries on disk; None where it cannot be read now. Rows that are damaged are dropped."""
        if self._opened is None:
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
        if self._opened is None or not self.safe or self._writer.busy:
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
        if self.safe and self.batch and not self._writer.busy:
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
        if self._opened is not None:
            self._opened.store.close()
        if self._claim is not None:
            self._claim.release()

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
        if not self.safe:
            self.safe = True
            self._backoff.reset()
            # What came while this was being committed follows with the next commit.
            self.batch.entries.update(self.shelf)
            self._log.warning("over: the outbox is on disk again")

    def _fail(self, error: Exception) -> None:
        self._retry_at = self._clock() + self._backoff.next()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._damage = str(error)
        if self.safe:
            self.safe = False
            self._log.error("the outbox goes on in memory: its disk does not serve", why=str(error))

    def _retry(self) -> None:
        """Open the file anew, and commit all that could not be committed."""
        self._retry_at = self._clock() + self._backoff.next()
        try:
            if self._opened is not None:
                self._opened.store.close()
                self._opened = None
            opened = self._open(check=False)
        except (sqlite3.Error, OSError):
            return
        self._adopt(opened)
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
        self.batch = whole
        self._start(self._clock())

    def _open(self, *, check: bool) -> Opened:
        if self._claim is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._claim = Claim(self._path)
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
