"""Looks into an outbox's file without writing, also while an agent uses it."""

from __future__ import annotations

import fcntl
import glob
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from edge_agent.errors import OutboxUnreadableError
from edge_agent.outbox.entry import encoded
from edge_agent.outbox.storage.database import connect, load, read
from isotherm.contract.fields import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from edge_agent.outbox.entry import Entry

CHUNK: Final = 1_000
"""Entries in one read: a reader that stays long would keep the log from being cut back."""


class Inspection:
    """A context that can read an outbox's file.

    Args:
        path: of the file.

    Raises:
        OutboxUnreadableError: it is not there, or is no outbox.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            raise OutboxUnreadableError(str(path), "there is no such file")
        try:
            self._connection = self._connect()
            self.saved = load(self._connection)
        except sqlite3.Error as error:
            raise OutboxUnreadableError(str(path), str(error)) from error
        self.damaged = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    @property
    def in_use(self) -> bool:
        """Whether an agent runs on it."""
        try:
            descriptor = os.open(f"{self._path}.lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def facts(self) -> dict[str, object]:
        """What a person wants to know first."""
        ask = self._connection.execute
        gaps, aside = ask("SELECT count(reason), count(aside) FROM entry").fetchone()
        files = [Path(f"{self._path}{side}") for side in ("", "-wal")]
        return {
            "file": self._path,
            "in use": "yes" if self.in_use else "no",
            "epoch": self.saved.facts.get("epoch", "none yet"),
            "readings": self.saved.rows - gaps,
            "gaps": gaps,
            "set aside": aside,
            "sensors": len(self.saved.seqs),
            "bytes": sum(file.stat().st_size for file in files if file.exists()),
            "damaged files beside it": self._beside("damaged"),
            "files found in its place": self._beside("found"),
        }

    def _beside(self, why: str) -> int:
        """Files that were set aside; see `edge_agent.outbox.storage.recovery.set_aside`."""
        folder, name = self._path.parent, self._path.name
        return sum(map(_whole, folder.glob(f"{glob.escape(name)}.{why}-*")))

    def entries(self) -> Iterator[Entry]:
        """All entries in order; those whose checksum is wrong are counted in `damaged` instead."""
        at, last = self.saved.first_id, self.saved.last_id
        while at <= last:
            found, wrong = read(self._connection, at, last, CHUNK)
            if not found and not wrong:
                return
            self.damaged += len(wrong)
            at = max([entry.id for entry in found] + wrong) + 1
            yield from found

    def lines(self, destination: str) -> Iterator[bytes]:
        """All entries as they would be sent, but that none waits for the clock any more."""
        for entry in self.entries():
            offset = self.saved.offsets.get(entry.boot)
            if entry.synced:
                time, trust = entry.wall, Clock.SYNCED
            elif offset is not None:
                time, trust = offset + entry.uptime, Clock.CORRECTED
            else:
                time, trust = entry.wall, Clock.UNSYNCED
            yield encoded(entry, destination=destination, event_time=time, clock=trust)

    def faults(self) -> Iterator[str]:
        """What is wrong with it, a sentence each."""
        for (said,) in self._connection.execute("PRAGMA integrity_check(10)"):
            if said != "ok":
                yield said
        names = Counter((entry.guid, entry.epoch, entry.seq) for entry in self.entries())
        if self.damaged:
            yield f"{self.damaged} rows have a wrong checksum"
        doubled = sum(count > 1 for count in names.values())
        if doubled:
            yield f"{doubled} names stand there more than once"
        epoch = self.saved.facts.get("epoch")
        ahead = sum(seq > self.saved.seqs.get(guid, 0) for guid, of, seq in names if of == epoch)
        if ahead:
            yield f"{ahead} rows have a number that was not given yet"

    def _connect(self) -> sqlite3.Connection:
        # In WAL mode even a reader makes a log where there is none; nobody writes here now.
        alone = not self.in_use and not Path(f"{self._path}-wal").exists()
        return connect(self._path, "ro&immutable=1" if alone else "ro")


def _whole(path: Path) -> bool:
    return not path.name.endswith(("-wal", "-shm"))
