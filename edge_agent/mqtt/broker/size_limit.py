"""How large a packet the broker takes, where it does not say so, or takes less than it says.

A broker may refuse a packet for its size (PUBACK 0x95), or end the connection on it. So packets
begin small and double for as long as they are taken. A refusal lowers the limit for all that can be
sent in parts, and is remembered: a larger packet is tried again only after a pause, which grows
with each try that fails. Kept for one run of the agent: to find it again costs a few packets.

Pure but for the clock, which is injected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from isotherm.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FIRST: Final = 16_384
"""Bytes of the largest packet before anything is known: all brokers' defaults are above."""
MOST: Final = 1 << 17
"""Bytes above which there is nothing to find out: packets of readings are half as large."""
BARREN: Final = 2
"""So many connections in a row that ended before anything was acknowledged put in doubt what was
taken earlier: the broker may have another configuration now."""
FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 86_400.0
"""Seconds before a size that was refused is tried again."""


class SizeLimit:
    """What is known of one broker. Sizes are of whole packets, bytes.

    Args:
        clock: seconds, monotonic.
        backoff: between two tries of a size that was refused.
        first: the largest packet before anything is known, bytes.
    """

    def __init__(
        self, clock: Callable[[], float], backoff: Backoff | None = None, *, first: int = FIRST
    ) -> None:
        self._clock = clock
        self._backoff = backoff or Backoff(first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        self._limit = first
        self._taken = 0
        self._refused: int | None = None
        self._announced: int | None = None
        self._retry_at = 0.0
        self._barren = 0
        self._progress = False

    @property
    def bytes(self) -> int:
        """The largest packet to be made of what can also be sent in parts."""
        return self._limit if self._announced is None else min(self._limit, self._announced)

    @property
    def refused(self) -> int | None:
        """The smallest packet that was refused lately; None where none was."""
        return self._refused

    @property
    def announced(self) -> int | None:
        """The largest packet that the broker says it takes; None where it says nothing."""
        return self._announced

    def takes(self, size: int) -> bool:
        """Whether a packet that cannot be sent in parts may go: nothing is known against it."""
        if self._announced is not None and size > self._announced:
            return False
        return self._refused is None or size < self._refused or self._clock() >= self._retry_at

    def connected(self, announced: int | None) -> None:
        """A connection stands; the broker says which packets it takes, or None for any."""
        self._announced = announced
        self._progress = False

    def took(self, size: int) -> None:
        """A packet was acknowledged."""
        self._progress = True
        self._barren = 0
        self._taken = max(self._taken, size)
        if self._refused is not None and size >= self._refused:
            self._refused = None
            self._backoff.reset()
        if size > self._limit:
            self._limit = min(size, MOST)
        if 2 * size > self._limit and self._limit < MOST:
            self._grow()

    def refuse(self, size: int) -> None:
        """A packet was refused for its size."""
        if size <= self._taken:
            self._taken = 0
        now = self._clock()
        if self._refused is None or now >= self._retry_at:
            self._retry_at = now + self._backoff.next()
        self._refused = size if self._refused is None else min(self._refused, size)
        # Whatever it says, a single reading goes: only that can show that it is too large.
        self._limit = max(1, min(self._limit, max(self._taken, size // 2)))

    def lost(self, sizes: Iterable[int], *, blamed: bool) -> bool:
        """The connection ended.

        Args:
            sizes: of the packets that were not acknowledged.
            blamed: the broker said that one of them was too large.

        Returns:
            Whether the limit is lower now, as the largest of them may be the cause.
        """
        largest = max(sizes, default=0)
        if not largest:
            return False
        if not self._progress:
            self._barren += 1
        if self._barren >= BARREN:
            self._taken = 0
        # What was taken before is no cause; that the line breaks on a larger one is enough.
        if not (blamed or largest > self._taken):
            return False
        before = self._limit
        self.refuse(largest)
        return self._limit < before

    def _grow(self) -> None:
        larger = min(MOST, 2 * self._limit)
        if self._refused is not None and larger >= self._refused:
            if self._clock() < self._retry_at:
                return
            self._refused = None
        self._limit = larger
