"""Entries and facts as rows of SQLite, with a checksum over each."""

from __future__ import annotations

import sqlite3
import zlib
from typing import TYPE_CHECKING, Any, Final

from edge_agent.outbox.entry import Entry, Lost

if TYPE_CHECKING:
    from collections.abc import Iterable

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
