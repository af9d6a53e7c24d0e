"""Puts the scopes of a snapshot together again: in Kafka each is a record of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboard.feeds.incoming import Snapshot

PATIENCE_S: Final = 0.3
"""How long a snapshot waits for further scopes where nobody knows how many it has."""
MOST_OPEN: Final = 10_000
"""Snapshots that wait at most, as while the last hour is read back; then the oldest go on."""
MOST_BYTES: Final = 64 << 20
"""The same in bytes of their records."""
_REMEMBERED: Final = 16

Key = tuple[str, int | None, str]


def key(snapshot: Snapshot) -> Key:
    """What its records share."""
    return snapshot["query_id"], snapshot["batch_id"], snapshot["window"]["end"]


class _Open:
    """One that waits for its scopes."""

    __slots__ = ("since", "size", "snapshot")

    def __init__(self, since: float, snapshot: Snapshot) -> None:
        self.since = since
        self.snapshot = snapshot
        self.size = 0


class Assembly:
    """Takes records in any order and gives whole snapshots, oldest first."""

    def __init__(self) -> None:
        self._open: dict[Key, _Open] = {}
        self._given: dict[Key, Snapshot] = {}
        self._scopes: frozenset[str] = frozenset()
        self._bytes = 0

    def add(self, record: Snapshot, now: float, size: int = 0) -> None:
        """Take one.

        Args:
            record: a snapshot with some of its scopes.
            now: seconds, monotonic.
            size: of the record, bytes.
        """
        name = key(record)
        waiting = self._open.get(name)
        if waiting is None:
            waiting = self._open[name] = _Open(now, self._given.get(name, record))
        known = waiting.snapshot
        waiting.snapshot = {**known, "scopes": {**known["scopes"], **record["scopes"]}}
        waiting.size += size
        self._bytes += size

    @property
    def full(self) -> bool:
        """Whether some of them must go on before more are added."""
        return len(self._open) >= MOST_OPEN or self._bytes >= MOST_BYTES

    def take(self, now: float) -> list[Snapshot]:
        """Those that have all scopes that the one before had, or have waited long enough.

        Where it is full, half of them all the same, those that end first.
        """
        names = list(self._ready(now))
        if self.full:
            names = sorted({*names, *self._oldest()}, key=lambda name: name[2])
        found = sorted((self._pop(name) for name in names), key=lambda each: key(each)[2])
        for snapshot in found:
            self._scopes = frozenset(snapshot["scopes"])
            self._given[key(snapshot)] = snapshot
        for old in list(self._given)[:-_REMEMBERED]:
            del self._given[old]
        return found

    def _ready(self, now: float) -> Iterator[Key]:
        for name, waiting in self._open.items():
            whole = self._scopes and self._scopes <= set(waiting.snapshot["scopes"])
            if now - waiting.since >= PATIENCE_S or whole:
                yield name

    def _oldest(self) -> list[Key]:
        return sorted(self._open, key=lambda name: name[2])[: len(self._open) // 2 + 1]

    def _pop(self, name: Key) -> Snapshot:
        waiting = self._open.pop(name)
        self._bytes -= waiting.size
        return waiting.snapshot
