"""How much the outbox may hold, what is dropped beyond that, and the gaps that say so.

Decisions without a disk.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Final

from edge_agent.outbox.entry import Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edge_agent.outbox.entry import Entry
    from edge_agent.outbox.identity import Stamper


FEWEST_ROWS: Final = 1_000
"""So many may always wait: more than one packet holds, so that a whole one fits."""
EASE: Final = 0.9
"""A bound in bytes is over when so much of it is used: no flapping at the bound itself."""


class Overflow(StrEnum):
    """What is dropped; also the reason that a gap gives."""

    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    THIN = "thin"


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a person chose.

    Attributes:
        max_rows: readings and gaps.
        max_bytes: of the file's used part.
        min_free_bytes: that stay free on the disk for others; the file grows no more below that.
        memory_rows: readings while the disk does not serve.
        overflow: what is dropped beyond that.
    """

    max_rows: int
    max_bytes: int
    min_free_bytes: int
    memory_rows: int = 10_000
    overflow: Overflow = Overflow.DROP_OLDEST


class Room:
    """Turns all bounds into one of rows.

    Args:
        bounds: what a person chose.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.rows = bounds.max_rows
        self.why = "outbox.max_rows"

    def measure(self, *, rows: int, used: int, free: int | None) -> None:
        """Learn what a commit found.

        Args:
            rows: in the outbox.
            used: bytes of the file.
            free: bytes of the disk; None where it is not known.
        """
        bounds = self.bounds
        if used > bounds.max_bytes:
            fit = max(FEWEST_ROWS, rows * bounds.max_bytes // used)
            self.rows, self.why = min(self.rows, fit), "outbox.max_bytes"
        elif free is not None and free < bounds.min_free_bytes:
            if self.why != "outbox.min_free_bytes":
                self.rows = min(self.rows, max(FEWEST_ROWS, rows))
            self.why = "outbox.min_free_bytes"
        elif self.why != "outbox.max_bytes" or used < EASE * bounds.max_bytes:
            self.rows, self.why = bounds.max_rows, "outbox.max_rows"


THIN_CHUNK: Final = 2_000
"""Entries that are thinned at a time: seldom enough to be cheap, and soon enough to be short."""


class Gaps:
    """The gaps that may still grow: one for each sensor and epoch, until it is sent.

    Args:
        reason: why, in a word.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._open: dict[tuple[str, str], Entry] = {}

    def __len__(self) -> int:
        return len(self._open)

    def has(self, number: int) -> bool:
        """Whether the gap of this id may still grow."""
        return any(gap.id == number for gap in self._open.values())

    def drop(
        self, dropped: Iterable[Entry], names: Stamper, *, now: Entry, new_id: Callable[[], int]
    ) -> list[Entry]:
        """The gaps for dropped readings, new ones and grown ones.

        Args:
            dropped: none of them a gap.
            names: give a new gap its place.
            now: an entry of this moment, for its times.
            new_id: gives a new gap its id.
        """
        groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in dropped:
            groups[entry.guid, entry.epoch].append(entry)
        for key, entries in groups.items():
            seqs = [entry.seq for entry in entries]
            lost = Lost(key[1], min(seqs), max(seqs), len(seqs), self._reason)
            gap = self._open.get(key)
            if gap is None or gap.lost is None:
                gap = names.gap(entries[-1], lost, id=new_id())
            else:
                gap = gap._replace(lost=_joined(gap.lost, lost))
            self._open[key] = gap._replace(
                wall=now.wall, uptime=now.uptime, boot=now.boot, synced=now.synced
            )
        return [self._open[key] for key in groups]

    def seal(self, ids: Iterable[int]) -> None:
        """What has one of these ids is sent as it is: it grows no more."""
        if self._open:
            gone = set(ids)
            self._open = {key: gap for key, gap in self._open.items() if gap.id not in gone}

    def keep(self, growing: Callable[[int], bool]) -> None:
        """Let those of other ids grow no more."""
        self._open = {key: gap for key, gap in self._open.items() if growing(gap.id)}

    def clear(self) -> list[Entry]:
        """Let none of them grow any more, and give them."""
        gaps = list(self._open.values())
        self._open.clear()
        return gaps


def _joined(one: Lost, other: Lost) -> Lost:
    return Lost(
        one.epoch,
        min(one.first, other.first),
        max(one.last, other.last),
        one.dropped + other.dropped,
        one.reason,
    )


def oldest(entries: Iterable[Entry], count: int) -> list[Entry]:
    """The first `count` readings."""
    found: list[Entry] = []
    for entry in entries:
        if len(found) == count:
            break
        if entry.lost is None:
            found.append(entry)
    return found


def every_second(entries: Iterable[Entry]) -> list[Entry]:
    """Every second reading of each sensor and epoch."""
    turn: dict[tuple[str, str], bool] = {}
    found = []
    for entry in entries:
        if entry.lost is None:
            key = (entry.guid, entry.epoch)
            turn[key] = not turn.get(key, True)
            if turn[key]:
                found.append(entry)
    return found


class Thinner:
    """Takes every second reading, from the oldest to the newest, and then begins again.

    So the older a reading, the fewer of its neighbours are left: of a long outage the course stays.

    Args:
        chunk: entries that are looked at, at a time.
    """

    def __init__(self, chunk: int = THIN_CHUNK) -> None:
        self._chunk = chunk
        self._at = 0

    def choose(self, walk: Callable[[int], Iterator[Entry]]) -> list[Entry]:
        """What to drop next; nothing where no sensor has two readings in any chunk.

        Args:
            walk: gives all that may be dropped, from an id on.
        """
        begun = self._at
        while True:
            entries = list(islice(walk(self._at), self._chunk))
            full = len(entries) == self._chunk
            self._at = entries[-1].id + 1 if full else 0
            if found := every_second(entries):
                return found
            if not full and not begun:
                return []
            if not full:
                begun = 0
