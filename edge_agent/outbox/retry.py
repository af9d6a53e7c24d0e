"""When messages that came back are tried again: all of them, or those that were refused.

A refusal may be meant for all (no right to publish) or for one (a payload that it dislikes). So a
refused message is tried again by itself, in halves while it stays refused, and a single entry that
is refused again and again while others are taken is set aside: kept, shown, and not sent until the
agent starts again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from isotherm.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable


class Breaker:
    """Holds messages back after one was not taken; then lets one go at a time until one is.

    Args:
        clock: seconds, monotonic.
        backoff: between two tries.
    """

    def __init__(self, clock: Callable[[], float], backoff: Backoff | None = None) -> None:
        self._clock = clock
        self._backoff = backoff or Backoff(first=1.0, longest=60.0)
        self._until = 0.0
        self._trial = False

    def lets(self, flying: int) -> bool:
        """Whether a message may go, while so many are on their way."""
        return not self._trial or (flying == 0 and self._clock() >= self._until)

    def wait(self) -> float:
        """Seconds until it may let one go; 0 where time is not what it waits for."""
        return max(0.0, self._until - self._clock()) if self._trial else 0.0

    def kept(self) -> None:
        """A message was not taken."""
        # What was on its way together fails together: that is one failure.
        if not self._trial or self._clock() >= self._until:
            self._until = self._clock() + self._backoff.next()
        self._trial = True

    def delivered(self) -> None:
        """A message was taken."""
        self._trial = False
        self._backoff.reset()


STRIKES: Final = 3
"""So many refusals of a single entry, with others taken in between, set it aside."""


class Refusals:
    """The refused entries that wait for another try.

    Args:
        clock: seconds, monotonic.
        backoff: between two tries.
    """

    def __init__(self, clock: Callable[[], float], backoff: Backoff | None = None) -> None:
        self._clock = clock
        self._backoff = backoff or Backoff(first=1.0, longest=60.0)
        self._waiting: deque[list[int]] = deque()
        self._strikes: dict[int, int] = {}
        self._at = 0.0
        self._out = False
        self._taken = 0
        self._taken_then = 0

    @property
    def ids(self) -> list[int]:
        """Of all that wait here."""
        return [number for ids in self._waiting for number in ids]

    @property
    def wait(self) -> float:
        """Seconds until the next try; 0 where time is not what it waits for."""
        return max(0.0, self._at - self._clock()) if self._waiting and not self._out else 0.0

    def next(self) -> list[int] | None:
        """Ids to be tried again in a message of their own; None where it is not time."""
        if self._out or not self._waiting or self._clock() < self._at:
            return None
        return self._waiting.popleft()

    def sent(self) -> None:
        """What `next` gave is on its way."""
        self._out = True

    def refused(self, ids: list[int], *, again: bool) -> int | None:
        """A message was refused.

        Args:
            ids: of its entries.
            again: whether it was one that `next` gave.

        Returns:
            An entry that is proven to be what is refused, and is to be set aside.
        """
        self._at = self._clock() + self._backoff.next()
        if again:
            self._out = False
        if len(ids) > 1:
            middle = len(ids) // 2
            self._waiting.extend([ids[:middle], ids[middle:]] if again else [ids])
            return None
        (number,) = ids
        if self._taken > self._taken_then or number not in self._strikes:
            self._strikes[number] = self._strikes.get(number, 0) + 1
        self._taken_then = self._taken
        if self._strikes[number] >= STRIKES:
            del self._strikes[number]
            return number
        self._waiting.append(ids)
        return None

    def delivered(self, ids: list[int], *, again: bool) -> None:
        """A message was taken; `again` as in `refused`."""
        self._taken += 1
        if again:
            self._out = False
            self._at = 0.0
            self._backoff.reset()
            for number in ids:
                self._strikes.pop(number, None)

    def kept(self, *, again: bool) -> None:
        """A message came back for another reason."""
        if again:
            self._out = False
