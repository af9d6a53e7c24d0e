"""Finds what bridges noted of their sessions, from the end of the position topic backwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.kafka.position_topic import LOOK_S, position_partition
from bridge.kafka.session_notes import HEADER, Note, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bridge.kafka.position_topic import Reader

EVERYWHERE: Final = 20_000
"""Records of each partition that are looked through for every client id: somebody may have given
the topic another number of partitions since."""
_FURTHER: Final = 4
_MOST_LOOK: Final = 500_000
_CHECK: Final = 1_000


class Known(NamedTuple):
    """What is noted under a client id.

    Attributes:
        note: None where an earlier version wrote, which noted nothing.
        at: when it was written, seconds since 1970.
    """

    note: Note | None
    at: float


class Found(NamedTuple):
    """What a search gave.

    Attributes:
        known: by client id; those under which nothing was found are left out.
        unread: client ids of which more may be there, further back than could be read in time.
    """

    known: dict[str, Known]
    unread: frozenset[str] = frozenset()


class _TimeUpError(Exception):
    """The search has taken as long as it may."""


def find_notes(
    reader: Reader,
    names: Iterable[str],
    partitions: int,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Look for the last note of each client id.

    Its own partition is read backwards until it is found or the beginning is reached, for `LOOK_S`
    at most: what a bridge wrote that ended long ago may be far back where another one is busy.

    Args:
        reader: of the position topic.
        names: client ids.
        partitions: how many the topic has.
        clock: seconds, monotonic.
    """
    search = _Search(reader, names, clock)
    own: dict[int, set[str]] = {number: set() for number in range(partitions)}
    for name in search.names:
        own[position_partition(name, partitions)].add(name)
    ends: dict[int, tuple[int, int]] = {}
    everywhere = False
    try:
        for number, wanted in own.items():
            low, end = reader.ends(number)
            start = max(low, end - EVERYWHERE)
            ends[number] = low, end
            wanted.difference_update(search.read(number, start, end))
            ends[number] = low, start
        everywhere = True
        for number, wanted in own.items():
            look = EVERYWHERE
            while wanted and ends[number][0] < ends[number][1]:
                look = min(_MOST_LOOK, look * _FURTHER)
                low, end = ends[number]
                start = max(low, end - look)
                wanted.difference_update(search.read(number, start, end))
                ends[number] = low, start
    except _TimeUpError:
        # Before the end of every partition was read, it may be in any of them.
        unread = {
            name
            for number, wanted in own.items()
            for name in wanted
            if not everywhere or ends[number][0] < ends[number][1]
        }
        return Found(search.known, frozenset(unread))
    return Found(search.known)


class _Search:
    """What was found so far."""

    def __init__(self, reader: Reader, names: Iterable[str], clock: Callable[[], float]) -> None:
        self.names = list(names)
        self.known: dict[str, Known] = {}
        self._reader = reader
        self._wanted = {name.encode(): name for name in self.names}
        self._clock = clock
        self._until = clock() + LOOK_S
        self._count = 0

    def read(self, partition: int, start: int, end: int) -> set[str]:
        """Read a piece of a partition; the client ids that were found in it.

        Raises:
            _TimeUpError: all of the time is over.
        """
        seen: dict[str, Known] = {}

        def take(
            key: bytes | None,
            _value: bytes | None,
            headers: Mapping[str, bytes | None],
            milliseconds: int,
            /,
        ) -> None:
            self._count += 1
            if self._count % _CHECK == 0:
                self._check_time()
            name = self._wanted.get(key or b"")
            if name is None:
                return
            at = max(0, milliseconds) / 1000
            if name not in seen or at >= seen[name].at:
                seen[name] = Known(parse(headers.get(HEADER) or b""), at)

        self._check_time()
        if start < end:
            self._reader.read(partition, start, end, take)
        # Not before all of it is read: a newer note may be behind an older one. What was found
        # before is from behind this piece, or from another partition.
        for name, known in seen.items():
            if name not in self.known or known.at > self.known[name].at:
                self.known[name] = known
        return set(seen)

    def _check_time(self) -> None:
        if self._clock() > self._until:
            raise _TimeUpError
