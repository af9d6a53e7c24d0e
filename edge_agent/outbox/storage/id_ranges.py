"""Sets of entries by their ids, as few ranges: a backlog of a million entries is one of them."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Ranges:
    """A set of whole numbers, kept as ranges in rising order."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges as (first, last), both included."""
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def clear(self) -> None:
        """Make it empty."""
        self._firsts.clear()
        self._lasts.clear()

    def add(self, first: int, last: int) -> None:
        """Take in all numbers from `first` to `last`."""
        low = bisect_right(self._lasts, first - 2)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def update(self, numbers: Iterable[int]) -> None:
        """Take in single numbers; cheapest in rising order."""
        for first, last in spans(numbers):
            self.add(first, last)

    def remove(self, first: int, last: int) -> None:
        """Take out all numbers from `first` to `last`."""
        low = bisect_right(self._lasts, first - 1)
        high = bisect_right(self._firsts, last)
        if low >= high:
            return
        rest = []
        if self._firsts[low] < first:
            rest.append((self._firsts[low], first - 1))
        if self._lasts[high - 1] > last:
            rest.append((last + 1, self._lasts[high - 1]))
        self._firsts[low:high] = [begin for begin, _ in rest]
        self._lasts[low:high] = [end for _, end in rest]


def spans(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Single numbers as ranges: 1, 2, 3, 7 gives (1, 3) and (7, 7)."""
    first: int | None = None
    last = 0
    for number in numbers:
        if first is not None and number == last + 1:
            last = number
            continue
        if first is not None:
            yield first, last
        first = last = number
    if first is not None:
        yield first, last
