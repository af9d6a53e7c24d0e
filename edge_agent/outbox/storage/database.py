"""The outbox on disk: SQLite in WAL mode with synchronous=FULL, one transaction for each batch.

What is committed outlives a power cut, as far as the disk keeps what it said it has (SQLite's pages
"Atomic Commit" and "WAL"). Rows hold all that they need, and a checksum over it, so that they can
be salvaged from a file that is damaged elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from edge_agent.outbox.entry import Entry, Lost
from edge_agent.outbox.storage.files import OpenFiles, make_private
from edge_agent.outbox.storage.id_ranges import spans
from edge_agent.outbox.storage.row_counts import RowCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from edge_agent.outbox.storage.row_counts import Key


COLUMNS: Final = (
    "id, guid, epoch, seq, state, wall, uptime, boot, synced, temperature, "
    "lost_epoch, first, last, count, reason, checksum"
)


def checked(pair: tuple[str, str | int]) -> tuple[str, str | int, int]:
    """A name and a value with their checksum."""
    # A sequence number that went back by a flipped bit would be given twice.
    return (*pair, zlib.crc32(repr(pair).encode()))


def unchecked(row: tuple[Any, Any, Any]) -> tuple[Any, Any]:
    """A name and a value.

    Raises:
        sqlite3.DatabaseError: they are not what was written.
    """
    name, value, checksum = row
    if zlib.crc32(repr((name, value)).encode("utf-8", "replace")) != checksum:
        raise sqlite3.DatabaseError(f"the checksum of {name!r} is wrong")
    return name, value


def to_row(entry: Entry) -> tuple[Any, ...]:
    """The values of `COLUMNS`."""
    lost = entry.lost
    return (
        entry.id,
        entry.guid,
        bytes.fromhex(entry.epoch),
        entry.seq,
        entry.state,
        entry.wall,
        entry.uptime,
        bytes.fromhex(entry.boot),
        entry.synced,
        entry.temperature,
        *(
            (None,) * 5
            if lost is None
            else (bytes.fromhex(lost.epoch), lost.first, lost.last, lost.dropped, lost.reason)
        ),
        entry.checksum(),
    )


def to_entry(row: Iterable[Any]) -> Entry | None:
    """The entry of a row; None where it is not what was written."""
    *facts, lost_epoch, first, last, count, reason, checksum = row
    number, guid, epoch, seq, state, wall, uptime, boot, synced, temperature = facts
    try:
        lost = None if reason is None else Lost(lost_epoch.hex(), first, last, count, reason)
        entry = Entry(
            number, guid, epoch.hex(), seq, state, wall, uptime, boot.hex(), bool(synced),
            temperature, lost,
        )  # fmt: skip
        return entry if entry.checksum() == checksum else None
    except AttributeError:
        return None


@dataclass(kw_only=True)
class Batch:
    """What one transaction does.

    Attributes:
        entries: to be written, by id; one that is there already is replaced.
        seqs: the last sequence number given, by guid.
        gone: ids of entries to be deleted.
        aside: why an entry is not sent for now, by id.
        offsets: of the clocks, by boot, nanoseconds.
        facts: by name; see `edge_agent.outbox.storage.database.Saved`.
        fresh: forget all sequence numbers first: the epoch is another.
        source: a store whose file was taken away: its rows are taken over first.
        before: what the store before this one held; None where it is the same.
        known: ids of rows that memory has, though they may stand in no file.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    aside: dict[int, str] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str | int] = field(default_factory=dict)
    fresh: bool = False
    source: Database | None = None
    before: RowCounts | None = None
    known: set[int] = field(default_factory=set)

    @property
    def urgent(self) -> bool:
        """Whether something waits for it to be committed."""
        return bool(self.entries or self.offsets or self.aside)

    def __bool__(self) -> bool:
        parts = (self.entries, self.seqs, self.gone, self.aside, self.offsets, self.facts)
        return self.fresh or any(parts)


P = ParamSpec("P")
T = TypeVar("T")

VERSION: Final = 1
"""PRAGMA user_version of the schema."""
BUSY_SECONDS: Final = 2.0
"""How long a commit waits for a person's sqlite3 to let go of the file."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entry (
  id INTEGER PRIMARY KEY, guid TEXT, epoch BLOB, seq INTEGER, state TEXT, wall INTEGER,
  uptime INTEGER, boot BLOB, synced INTEGER, temperature REAL,
  lost_epoch BLOB, first INTEGER, last INTEGER, count INTEGER, reason TEXT,
  checksum INTEGER, aside TEXT);
CREATE TABLE IF NOT EXISTS sensor (guid TEXT PRIMARY KEY, seq INTEGER, checksum INTEGER)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boot (id TEXT PRIMARY KEY, clock_offset INTEGER, checksum INTEGER)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value, checksum INTEGER) WITHOUT ROWID;
"""
_PUT: Final = f"INSERT OR REPLACE INTO entry ({COLUMNS}) VALUES ({','.join('?' * 16)})"  # noqa: S608 our own words
_READ: Final = f"SELECT {COLUMNS} FROM entry WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"  # noqa: S608 our own words
_GROUPS: Final = (
    "SELECT guid, epoch, count(*) FROM entry WHERE id BETWEEN ? AND ? GROUP BY guid, epoch"
)
_NAMES: Final = (
    "SELECT id, guid, epoch, seq, state FROM entry WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
)
COUNT_ROWS: Final = 20_000
"""Rows of a store that was opened which are counted with each commit: none of them takes long."""
_ALL: Final = "SELECT * FROM entry WHERE id > ? ORDER BY id LIMIT ?"
_TAKE: Final = f"INSERT OR IGNORE INTO entry VALUES ({','.join('?' * 17)})"  # noqa: S608 our own words
TAKE_ROWS: Final = 1_000
_SEQ: Final = "INSERT OR REPLACE INTO sensor VALUES (?, ?, ?)"
_BOOT: Final = "INSERT OR REPLACE INTO boot VALUES (?, ?, ?)"
_FACT: Final = "INSERT OR REPLACE INTO fact VALUES (?, ?, ?)"


def _damage_is_an_error(function: Callable[P, T]) -> Callable[P, T]:
    """Have sqlite3 say in its own words that a damaged schema made its message no text."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except UnicodeDecodeError as error:
            raise sqlite3.DatabaseError("what stands in it is not UTF-8") from error

    return call


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What a store knew when it was opened.

    Attributes:
        facts: ``epoch``; ``board`` (see `edge_agent.outbox.identity.board_identity`);
            ``last_id``, the highest that was ever given; ``lives``, with blanks between;
            ``known_to``, the id up to which entries were named while the broker had confirmed the
            epoch; ``confirmed``;
            ``key`` (see `edge_agent.outbox.identity.proof`).
        seqs: the last sequence number given, by guid.
        offsets: of the clocks, by boot.
        rows: entries in it.
        first_id: the lowest; 0 without any.
        last_id: the highest; 0 without any.
    """

    facts: Mapping[str, Any]
    seqs: Mapping[str, int]
    offsets: Mapping[str, int]
    rows: int
    first_id: int
    last_id: int


class Database:
    """One file, two connections: one thread writes, another one may read meanwhile.

    Args:
        path: of the file; made if it is not there.

    Raises:
        sqlite3.Error: the file cannot be opened or made, or is damaged.
    """

    @_damage_is_an_error
    def __init__(self, path: Path) -> None:
        self.path = path
        make_private(path)
        self._writer = connect(path)
        self._reader = self._writer
        try:
            self._writer.execute("PRAGMA synchronous=FULL")
            self._writer.execute("PRAGMA journal_mode=WAL")
            self._writer.execute(f"PRAGMA journal_size_limit={4 << 20}")
            _make_tables(self._writer)
            self._reader = connect(path)
            self.held = RowCounts()
            self._uncounted = _bounds(self._writer)
            self._whereabouts = OpenFiles(path)
        except BaseException:
            self._reader.close()
            self._writer.close()
            raise

    @_damage_is_an_error
    def check(self) -> None:
        """Look through the whole file.

        Raises:
            sqlite3.Error: something is wrong with it.
        """
        (found,) = self._reader.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    @_damage_is_an_error
    def load(self) -> Saved:
        """What it knows; an entry that was set aside is tried again."""
        self._writer.execute("UPDATE entry SET aside = NULL WHERE aside IS NOT NULL")
        return load(self._reader)

    def read(self, first: int, last: int, limit: int) -> tuple[list[Entry], list[int]]:
        """Entries from `first` to `last`, at most `limit`, in rising order.

        Returns:
            The entries, and the ids of those whose checksum is wrong.
        """
        return read(self._reader, first, last, limit)

    @_damage_is_an_error
    def apply(self, batch: Batch) -> None:
        """Do it, whole or not at all; it is on the disk when this returns.

        Raises:
            sqlite3.Error: it is not done.
        """
        run = self._writer
        run.execute("BEGIN IMMEDIATE")
        try:
            if batch.fresh:
                run.execute("DELETE FROM sensor")
            # What is written anew, and what is still there of what is to go.
            replaced = self._count(spans(sorted(batch.entries)))
            run.executemany(_PUT, map(to_row, batch.entries.values()))
            run.executemany(_SEQ, map(checked, batch.seqs.items()))
            gone = list(spans(sorted(batch.gone)))
            deleted = self._count(gone)
            run.executemany("DELETE FROM entry WHERE id BETWEEN ? AND ?", gone)
            run.executemany(
                "UPDATE entry SET aside = ? WHERE id = ?",
                [(why, number) for number, why in batch.aside.items()],
            )
            run.executemany(_BOOT, map(checked, batch.offsets.items()))
            run.executemany(_FACT, map(checked, batch.facts.items()))
            run.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                run.execute("ROLLBACK")
            raise
        for counts in replaced:
            self.held.remove(counts)
        self.held.add(batch.entries.values())
        for counts in deleted:
            self.held.remove(counts)

    def look(self, *, wrote: bool = False) -> str:
        """Why its files are not those that were opened; empty while they are.

        Args:
            wrote: see `OpenFiles.look`.

        Raises:
            sqlite3.Error: SQLite has noticed it before us.
        """
        (pages,) = self._writer.execute("PRAGMA page_count").fetchone()
        (size,) = self._writer.execute("PRAGMA page_size").fetchone()
        return self._whereabouts.look(pages * size, wrote=wrote)

    def readable(self) -> bool:
        """Whether its rows can be read, though its file may have no name any more."""
        try:
            self._reader.execute("SELECT count(*) FROM entry").fetchone()
        except sqlite3.Error:
            return False
        return True

    def take_over(self, source: Database) -> int:
        """Take in the rows of another store, as far as they can be read; how many came.

        Raises:
            sqlite3.Error: they cannot be written.
        """
        run, at, count = self._writer, 0, 0
        run.execute("BEGIN IMMEDIATE")
        try:
            while rows := source.raw(at):
                run.executemany(_TAKE, rows)
                at, count = rows[-1][0], count + len(rows)
            run.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                run.execute("ROLLBACK")
            raise
        self.held, self._uncounted = RowCounts(), _bounds(run)
        while self.count_on():
            pass
        return count

    @_damage_is_an_error
    def count_on(self) -> bool:
        """Take some more of the rows into account that were there when it was opened.

        Returns:
            Whether there are more. Call it in the writing thread.
        """
        first, last = self._uncounted
        if first > last:
            return False
        rows = self._writer.execute(_NAMES, (first, last, COUNT_ROWS)).fetchall()
        self.held.count(row[1:] for row in rows)
        self._uncounted = (rows[-1][0] + 1 if len(rows) == COUNT_ROWS else last + 1, last)
        return self._uncounted[0] <= last

    def raw(self, after: int) -> list[tuple[Any, ...]]:
        """Rows beyond an id as they stand there; none at the end, or where it cannot be read on."""
        try:
            return self._reader.execute(_ALL, (after, TAKE_ROWS)).fetchall()
        except sqlite3.Error:
            return []

    @_damage_is_an_error
    def missing(self, ids: Iterable[int]) -> list[int]:
        """Those of these ids that it has not; call it in the writing thread."""
        ask = self._writer.execute
        return [
            number
            for number in ids
            if ask("SELECT 1 FROM entry WHERE id = ?", (number,)).fetchone() is None
        ]

    def _count(self, ranges: Iterable[tuple[int, int]]) -> list[dict[Key, int]]:
        """Rows of these ids by sensor and epoch, as far as they are in the account."""
        low, high = self._uncounted
        counts = []
        for first, last in ranges:
            parts = [(first, last)]
            if low <= high:
                parts = [(first, min(last, low - 1)), (max(first, high + 1), last)]
            for part in parts:
                found = self._writer.execute(_GROUPS, part) if part[0] <= part[1] else ()
                counts.append(
                    {
                        (str(guid), epoch.hex() if isinstance(epoch, bytes) else str(epoch)): rows
                        for guid, epoch, rows in found
                    }
                )
        return counts

    @_damage_is_an_error
    def used(self) -> int:
        """Bytes of the file that are not free inside it; call it in the writing thread."""
        (pages,) = self._writer.execute("PRAGMA page_count").fetchone()
        (free,) = self._writer.execute("PRAGMA freelist_count").fetchone()
        (size,) = self._writer.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def close(self) -> None:
        """Close it, whatever state it is in."""
        for connection in (self._reader, self._writer):
            with contextlib.suppress(sqlite3.Error):
                connection.close()


@_damage_is_an_error
def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """A connection that leaves transactions to its user, and is not bound to a thread.

    Args:
        path: of the file.
        mode: `rwc`, or `ro` for one that cannot write; see sqlite.org/uri.html.
    """
    where = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        where, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA cache_size=-1024")
    except BaseException:
        connection.close()
        raise
    # A flipped bit in a text shall cost its row, which the checksum finds, and not its neighbours.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


@_damage_is_an_error
def load(connection: sqlite3.Connection) -> Saved:
    """What a store knows.

    Raises:
        sqlite3.Error: it cannot be read, or is not what was written.
    """
    rows, first_id, last_id = connection.execute(
        "SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM entry"
    ).fetchone()
    return Saved(
        facts=dict(map(unchecked, connection.execute("SELECT * FROM fact"))),
        seqs=dict(map(unchecked, connection.execute("SELECT * FROM sensor"))),
        offsets=offsets(connection),
        rows=rows,
        first_id=first_id,
        last_id=last_id,
    )


@_damage_is_an_error
def offsets(connection: sqlite3.Connection) -> dict[str, int]:
    """Of the clocks, by boot; raises like `load`."""
    return dict(map(unchecked, connection.execute("SELECT * FROM boot")))


@_damage_is_an_error
def read(
    connection: sqlite3.Connection, first: int, last: int, limit: int
) -> tuple[list[Entry], list[int]]:
    """See `Database.read`."""
    entries, wrong = [], []
    for row in connection.execute(_READ, (first, last, limit)).fetchall():
        entry = to_entry(row)
        if entry is None:
            wrong.append(row[0])
        else:
            entries.append(entry)
    return entries, wrong


def _bounds(connection: sqlite3.Connection) -> tuple[int, int]:
    """The lowest and the highest id; a range without any where there is no row."""
    low, high = connection.execute("SELECT min(id), max(id) FROM entry").fetchone()
    return (1, 0) if low is None else (low, high)


def _make_tables(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise sqlite3.DatabaseError(f"written by a later version of isotherm ({version})")
    if version < VERSION:
        connection.executescript(f"{_SCHEMA} PRAGMA user_version={VERSION};")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is damaged, in contrast to a disk that does not take or give it now."""
    name = getattr(error, "sqlite_errorname", "")
    if not name:
        # What this module and sqlite3 itself raise: text that is no UTF-8, a later version.
        return not isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_FORMAT"))
