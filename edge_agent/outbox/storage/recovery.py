"""Opens the outbox's file: shuts out a second agent, sets a damaged file aside and salvages it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.errors import OutboxInUseError
from edge_agent.outbox.storage.database import (
    Batch,
    Database,
    Saved,
    connect,
    is_damage,
    offsets,
    read,
    unchecked,
)
from edge_agent.outbox.storage.files import SIDES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_agent.outbox.entry import Entry

CHUNK: Final = 256
COMMIT: Final = 8_192
"""Salvaged entries in one transaction."""
BARREN: Final = 64
"""So many chunks in a row without a row that can be read end the look for the lowest."""
_LAST: Final = "SELECT * FROM fact WHERE name = 'last_id'"
_DOWN: Final = "SELECT id FROM entry WHERE id < ? ORDER BY id DESC"


class Opened(NamedTuple):
    """A store that can be used.

    Attributes:
        store: the one.
        saved: what it knew.
        set_aside: where the damaged file is that was in its place; None if it was well.
        why: what was wrong with that.
        salvaged: entries that could be read from it.
    """

    store: Database
    saved: Saved
    set_aside: Path | None = None
    why: str = ""
    salvaged: int = 0


class FileLock:
    """The right to use one outbox's file: held until this process ends, however it ends.

    Args:
        path: of the outbox; the lock is a file of its own beside it, since SQLite's own locks
            are lost when any descriptor of its file is closed (sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        OutboxInUseError: another process has it.
        OSError: the lock's file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = f"{path}.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise OutboxInUseError(str(path)) from None

    @property
    def holds(self) -> bool:
        """Whether the lock is still where others look for it."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 beside fstat
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def release(self) -> None:
        """Give it back."""
        os.close(self._descriptor)


def open_store(
    path: Path, damage: str = "", *, check: bool = True, clock: Callable[[], float] = time.time
) -> Opened:
    """Open it, or what can be salvaged of it.

    Args:
        path: of the file, claimed by the caller.
        damage: what is known to be wrong with it, so that it is salvaged in any case.
        check: look through the whole file, which takes seconds where it is large.
        clock: seconds since 1970, for the name of a file that is set aside.

    Raises:
        sqlite3.Error: the disk does not give or take it now.
        OSError: the same.
    """
    new = path.with_name(f"{path.name}.salvage")
    if new.exists() and not path.exists():
        # The power went between the two last steps of a salvage.
        new.replace(path)
    why = damage
    try:
        if not why:
            return _open(path, check=check)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        why = str(error)
    salvaged = _salvage_into(new, path)
    aside = set_aside(path, "damaged", clock())
    new.replace(path)
    opened = _open(path, check=False)
    return opened._replace(set_aside=aside, why=why, salvaged=salvaged)


def _salvage_into(new: Path, path: Path) -> int:
    """Write what can be read to a file of its own, whole or, where the disk is full, not at all."""
    for side in SIDES:
        Path(f"{new}{side}").unlink(missing_ok=True)
    store = Database(new)
    count = 0
    try:
        batch = Batch()
        for entries in _readable(path, batch.offsets):
            batch.entries.update((entry.id, entry) for entry in entries)
            if len(batch.entries) >= COMMIT:
                store.apply(batch)
                count += len(batch.entries)
                batch = Batch()
        store.apply(batch)
        count += len(batch.entries)
    finally:
        # The last to close a file writes its log into it and removes the log.
        store.close()
    return count


def _readable(path: Path, found: dict[str, int]) -> Iterator[list[Entry]]:
    """All entries that can be read; fills in the offsets of the clocks, if they can be."""
    try:
        old = connect(path)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return
    with contextlib.closing(old):
        with contextlib.suppress(sqlite3.Error):
            found.update(offsets(old))
        yield from _salvage(old)


def _open(path: Path, *, check: bool) -> Opened:
    store = Database(path)
    try:
        if check:
            store.check()
        return Opened(store, store.load())
    except BaseException:
        store.close()
        raise


def set_aside(path: Path, why: str, now: float) -> Path:
    """Rename what is at the outbox's path, so that it is kept; its new name.

    Args:
        path: of the outbox.
        why: a word of the name.
        now: seconds since 1970, for the name.

    Raises:
        OSError: it cannot be renamed.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    number, aside = 0, path.with_name(f"{path.name}.{why}-{moment}")
    while any(os.path.lexists(f"{aside}{side}") for side in SIDES):
        number += 1
        aside = path.with_name(f"{path.name}.{why}-{moment}-{number}")
    for side in SIDES:
        # The log belongs to its file by name; without it what was committed last would be gone.
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{side}").replace(f"{aside}{side}")
            _shut(f"{aside}{side}")
    return aside


def _shut(name: str) -> None:
    """Let none but its owner and group look into a file that is kept."""
    with contextlib.suppress(OSError):
        mode = os.stat(name, follow_symlinks=False).st_mode  # noqa: PTH116 beside chmod
        if stat.S_ISREG(mode) and mode & 0o007:
            os.chmod(name, stat.S_IMODE(mode) & 0o770)  # noqa: PTH101 the same


def _salvage(old: sqlite3.Connection) -> Iterator[list[Entry]]:
    """All entries that can be read, from both ends and then one by one between."""
    lowest, highest = _bounds(old)
    while lowest <= highest:
        try:
            entries, wrong = read(old, lowest, highest, CHUNK)
        except sqlite3.Error:
            break
        if not entries and not wrong:
            return
        yield entries
        lowest = max([entry.id for entry in entries] + wrong) + 1
    while lowest <= highest:
        # A damaged page costs its own rows: the tree leads past it to all others.
        try:
            entries, _ = read(old, lowest, min(highest, lowest + CHUNK - 1), CHUNK)
            yield entries
        except sqlite3.Error:
            yield [entry for number in range(lowest, lowest + CHUNK) for entry in _one(old, number)]
        lowest += CHUNK


def _one(old: sqlite3.Connection, number: int) -> list[Entry]:
    try:
        return read(old, number, number, 1)[0]
    except sqlite3.Error:
        return []


def _bounds(old: sqlite3.Connection) -> tuple[int, int]:
    """The lowest and the highest id that there may be."""
    highest = 0
    with contextlib.suppress(sqlite3.Error, TypeError):
        highest = int(old.execute("SELECT max(id) FROM entry").fetchone()[0])
    with contextlib.suppress(sqlite3.Error, TypeError):
        # It has a checksum, and the order of the pages has none.
        highest = int(unchecked(old.execute(_LAST).fetchone())[1])
    return _lowest(old, highest), highest


def _lowest(old: sqlite3.Connection, highest: int) -> int:
    """The lowest id that there may be, looked for from above: the first page may be damaged."""
    at, barren = highest + 1, 0
    while at > 1 and barren < BARREN:
        try:
            for row in old.execute(_DOWN, (at,)):
                at, barren = row[0], 0
        except sqlite3.Error:
            at -= CHUNK
            barren += 1
        else:
            break
    return max(1, at)
