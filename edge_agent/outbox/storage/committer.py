"""Who commits: a thread of its own, since an SD card takes a millisecond, or sometimes seconds."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import sqlite3
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from isotherm.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge_agent.outbox.storage.database import Batch, Database
    from edge_agent.outbox.storage.row_counts import Key, Span
    from isotherm.tasks import Tasks

DRAIN: Final = 4096


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        batch: the one.
        error: why it is not done; None if it is.
        used: bytes of the file; 0 where it is not known.
        free: bytes that the disk has left for us; None where it is not known.
        taken: rows that came from another store.
        lost: what is in neither, by guid and epoch.
        missing: ids of the batch's `known` that were in no file before it.
    """

    batch: Batch
    error: Exception | None
    used: int = 0
    free: int | None = None
    taken: int = 0
    lost: Mapping[Key, Span] = MappingProxyType({})
    missing: Collection[int] = ()


class GoneError(Exception):
    """The store's files are not those that were opened."""


class Committer:
    """Commits one batch at a time; `fileno` can be read when it is done.

    Args:
        tasks: among which its thread is.
    """

    def __init__(self, tasks: Tasks) -> None:
        self._in_hand: Batch | None = None
        self._closed = False
        self._work: queue.SimpleQueue[tuple[Database, Batch] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._thread = tasks.start(
            "outbox-writer",
            self._run,
            stopping=lambda: self._closed,
            again=Backoff(first=1.0, longest=30.0),
            on_end=self._give_up,
        )
        self.busy = False

    def fileno(self) -> int:
        """Readable when a batch is done."""
        return self._woken.fileno()

    def start(self, store: Database, batch: Batch) -> None:
        """Begin to commit; only while not `busy`."""
        self.busy = True
        self._work.put((store, batch))

    def poll(self, timeout: float = 0.0) -> Outcome | None:
        """What became of the batch; None while it is still being committed after `timeout` s."""
        if not self.busy:
            return None
        try:
            outcome = self._done.get(timeout=timeout) if timeout else self._done.get_nowait()
        except queue.Empty:
            return None
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(DRAIN)
        self.busy = False
        return outcome

    def close(self) -> None:
        """End, without waiting for a disk that does not answer."""
        self._closed = True
        self._work.put(None)
        if not self.busy:
            self._thread.join()
            self._woken.close()
            self._waker.close()

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            self._in_hand = job[1]
            self._report(commit(*job))

    def _report(self, outcome: Outcome) -> None:
        self._in_hand = None
        self._done.put(outcome)
        # A full buffer is a wake-up already; a closed one has nobody to wake.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _give_up(self, error: BaseException | None) -> None:
        """The thread has ended with a batch in hand: the main loop shall not wait for it."""
        if self._in_hand is not None:
            self._report(
                Outcome(self._in_hand, sqlite3.InterfaceError(f"the writer ended: {error}"))
            )


def commit(store: Database, batch: Batch) -> Outcome:
    """Commit in the caller's thread."""
    try:
        _look(store)
        taken = 0 if batch.source is None else store.take_over(batch.source)
        lost: dict[Key, Span] = {}
        missing: list[int] = []
        if batch.before is not None:
            while store.count_on():
                pass
            missing = store.missing(batch.known)
            lost = batch.before.lost(store.held, missing)
        store.count_on()
        store.apply(batch)
        # What was written to a file that has no name is not on disk.
        _look(store, wrote=True)
        return Outcome(batch, None, store.used(), _free(store), taken, lost, missing)
    except (sqlite3.Error, GoneError) as error:
        return Outcome(batch, error)
    except Exception as error:  # noqa: BLE001 whatever it is, the main loop shall hear of it
        return Outcome(batch, sqlite3.InterfaceError(str(error)))


def _look(store: Database, *, wrote: bool = False) -> None:
    if why := store.look(wrote=wrote):
        raise GoneError(why)


def _free(store: Database) -> int | None:
    try:
        disk = os.statvfs(store.path.parent)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize
