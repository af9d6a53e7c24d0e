"""Keeps entries: on disk, one commit per interval; in memory while the disk does not take them.

A reading is sent after its commit, or under an epoch of its own that never reaches the disk's
counters: so no number is given twice, whatever the disk remembers when it is back.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.errors import OutboxInUseError
from edge_agent.outbox.storage.committer import Committer, GoneError, commit
from edge_agent.outbox.storage.database import Batch, Database, Saved, is_damage
from edge_agent.outbox.storage.files import make_folder
from edge_agent.outbox.storage.recovery import FileLock, Opened, open_store, set_aside
from edge_agent.outbox.storage.write_queue import WriteQueue
from isotherm.backoff import Backoff
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from edge_agent.outbox.entry import Entry
    from edge_agent.outbox.storage.committer import Outcome
    from edge_agent.outbox.storage.row_counts import RowCounts
    from edge_agent.outbox.storage.write_queue import Memory
    from isotherm.log import Log
    from isotherm.tasks import Tasks

STALL: Final = 5.0
"""Seconds that a commit may take before readings go on in memory."""


class Hooks(NamedTuple):
    """What the outbox does when something happens to its file; all in the main loop.

    Attributes:
        opened: a file was opened: at the start, or anew.
        committed: a batch is on disk.
        is_ours: whether a file that was found in the outbox's place is this very outbox.
        memory: the file was taken away, and another follows it: gives what is to be written there.
        recovered: the file that follows has all that could be read, and so many rows.
    """

    opened: Callable[[Opened], None]
    committed: Callable[[Batch], None]
    is_ours: Callable[[Saved], bool]
    memory: Callable[[], Memory]
    recovered: Callable[[Outcome, int], None]


class Persistence:
    """See the module.

    Args:
        path: of the outbox's file.
        hooks: of the outbox.
        interval: seconds between two commits.
        tasks: among which the thread is that commits.
        log: gets a line when the disk fails, and one when it is back.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        path: Path,
        hooks: Hooks,
        *,
        interval: float,
        tasks: Tasks,
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        self._path = path
        self._queue = WriteQueue()
        self._hooks = hooks
        self._interval = interval
        self._log = log
        self._clock = clock
        # The file that was taken away, while its rows are taken over.
        self._source: Database | None = None
        self._before: RowCounts | None = None
        self._closed: RowCounts | None = None
        self._hindrance = Problem(log.warning, "the outbox cannot be opened anew yet")
        self._committer = Committer(tasks)
        self._backoff = Backoff(first=1.0, longest=30.0)
        self._lock: FileLock | None = None
        self._opened: Opened | None = None
        self._damage = ""
        self._started = 0.0
        self._entered = 0.0
        self._retry_at = 0.0
        self._used = 0
        self._free: int | None = None
        self._commits = 0
        self._wrong = 0

    @property
    def queue(self) -> WriteQueue:
        """What is to be written."""
        return self._queue

    @property
    def used(self) -> int:
        """Bytes of the file, as of the last commit."""
        return self._used

    @property
    def free(self) -> int | None:
        """Bytes that its disk had left then; None where the system does not say."""
        return self._free

    @property
    def commits(self) -> int:
        """How often something was committed."""
        return self._commits

    @property
    def damaged(self) -> int:
        """Rows that were lost since their checksum was wrong."""
        return self._wrong

    def open(self) -> None:
        """Open the file; where that fails, memory has to do until it works.

        Raises:
            OutboxInUseError: another agent has it.
        """
        try:
            self._take(self._open(check=True))
        except OutboxInUseError:
            raise
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return
        self._start(self._clock())
        self.settle(STALL)

    def fileno(self) -> int:
        """Readable when a commit is done."""
        return self._committer.fileno()

    @property
    def stranded(self) -> int:
        """Entries in a file that has no name any more, and in no other yet."""
        return 0 if self._source is None else self._source.held.rows

    def turn(self, now: float) -> float:
        """Begin and hear of commits; never blocks.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        if (outcome := self._committer.poll()) is not None:
            self._hear(outcome)
        if self._committer.busy:
            if self._queue.safe and now - self._started > STALL:
                self._fail(TimeoutError(f"a commit takes longer than {STALL:.0f} s"))
            return STALL
        if not self._queue.safe:
            if now >= self._retry_at:
                self._retry()
            return max(0.0, self._retry_at - now)
        if self._queue.empty:
            return STALL
        if self._queue.urgent:
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
                if self._queue.safe:
                    self._fail(error)
                return None
            if not wrong:
                break
            self._wrong += len(wrong)
            self._queue.remove(wrong)
            self._log.error("damaged rows in the outbox are lost", rows=len(wrong))
            first = max(wrong) + 1
        return entries

    def rename(
        self, entries: Iterable[Entry], seqs: dict[str, int], facts: dict[str, str | int]
    ) -> bool:
        """Write a new epoch and entries that move to it, at once; False where the disk fails."""
        if (
            self._opened is None
            or not self._queue.safe
            or self._committer.busy
            or not self._in_place()
        ):
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
        if (
            self._queue.safe
            and not self._queue.empty
            and not self._committer.busy
            and self._locked()
        ):
            self._start(self._clock())
            self.settle(timeout)
        return self._queue.safe and not self._committer.busy

    def flush_soon(self) -> None:
        """From now on commit as soon as the last commit is done."""
        self._interval = 0.0

    def settle(self, timeout: float) -> None:
        """Wait for the commit that is under way, for so many seconds at most."""
        if (outcome := self._committer.poll(timeout)) is not None:
            self._hear(outcome)

    def close(self, timeout: float) -> None:
        """Commit what there is, for so many seconds at most, and close the file."""
        self.flush(timeout / 2)
        busy = self._committer.busy
        self._committer.close()
        if busy:
            return
        for store in (self._source, None if self._opened is None else self._opened.store):
            if store is not None:
                store.close()
        if self._lock is not None:
            self._lock.release()

    def _start(self, now: float) -> None:
        assert self._opened is not None
        self._started = now
        if self._queue.urgent:
            self._entered = now
        self._committer.start(self._opened.store, self._queue.take())

    def _hear(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._fail(outcome.error)
            return
        self._commits += 1
        self._used, self._free = outcome.used, outcome.free
        self._queue.committed(outcome.batch)
        self._hooks.committed(outcome.batch)
        if outcome.batch.before is not None:
            self._take_stock(outcome)
        if not self._queue.safe:
            self._queue.go_to_disk()
            self._backoff.reset()
            self._log.warning("over: the outbox is on disk again")

    def _locked(self) -> bool:
        """Whether no other agent can have the file; puts a lock that was removed back."""
        if self._lock is None or self._lock.holds:
            return True
        try:
            lock = FileLock(self._path)
        except FileNotFoundError:
            # The folder is gone too: the commit finds that out.
            return True
        except OSError as error:
            self._fail(GoneError(f"its lock was removed, and cannot be made again: {error}"))
            return False
        self._lock.release()
        self._lock = lock
        self._log.warning("the outbox's lock was removed under the agent: it is made anew")
        return True

    def _take_stock(self, outcome: Outcome) -> None:
        """All that could be read is in the file that follows the lost one."""
        assert self._opened is not None
        if self._source is not None:
            self._source.close()
        self._source = self._before = None
        self._hooks.recovered(outcome, self._opened.store.held.rows)

    def _fail(self, error: Exception) -> None:
        self._retry_at = self._clock() + self._backoff.next()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._damage = str(error)
        if isinstance(error, GoneError):
            # Nothing to wait for: another file can be made at once.
            self._retry_at = self._clock()
        if not self._queue.safe:
            return
        self._queue.go_to_memory()
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
        whole = self._queue.merge()
        whole.source, whole.before = self._source, self._before
        if whole.before is not None:
            self._queue.add_memory(self._hooks.memory())
        self._start(self._clock())

    def _reopen(self) -> None:
        store = None if self._opened is None else self._opened.store
        if self._lock is not None and not self._lock.holds:
            # The lock went with the folder, and another agent would find none.
            self._lock.release()
            self._lock = None
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
        self._take(opened)

    def _follow(self, store: Database | None) -> None:
        """Go on in another file: that which was opened has no name any more, but can be read."""
        if self._source is None:
            self._source = store
            if self._before is None and store is not None:
                self._before = store.held
        elif store is not None:
            if self._in_place() and not self._damage:
                # Ours, from a try before: set aside each time it would fill the disk.
                self._lock_path()
                return
            store.close()
        self._opened = None
        self._damage = ""
        self._lock_path()
        if any(os.path.lexists(f"{self._path}{side}") for side in ("", "-wal", "-shm")):
            self._meet()
        if self._opened is None:
            found = Database(self._path)
            self._opened = Opened(found, found.load())

    def _meet(self) -> None:
        """There is a file in the outbox's place: take it where it is ours, else set it aside."""
        assert self._source is not None
        if not self._source.readable():
            with contextlib.suppress(sqlite3.Error):
                found = Database(self._path)
                saved = found.load()
                if self._hooks.is_ours(saved):
                    self._opened = Opened(found, saved)
                    return
                found.close()
        aside = set_aside(self._path, "found", time.time())
        self._log.warning("what stood in the outbox's place is set aside", file=aside)

    def _in_place(self) -> bool:
        """Whether the file that is open is the one that has the name."""
        if self._opened is None or (self._lock is not None and not self._lock.holds):
            return False
        with contextlib.suppress(sqlite3.Error):
            return not self._opened.store.look()
        return True

    def _lock_path(self) -> None:
        if self._lock is None:
            make_folder(self._path.parent)
            self._lock = FileLock(self._path)

    def _open(self, *, check: bool) -> Opened:
        self._lock_path()
        return open_store(self._path, self._damage, check=check)

    def _take(self, opened: Opened) -> None:
        if opened.set_aside is not None:
            self._damage = ""
            self._log.error(
                "the outbox was damaged: set aside, and salvaged",
                file=opened.set_aside,
                why=opened.why,
                salvaged=opened.salvaged,
            )
        self._opened = opened
        self._hooks.opened(opened)
