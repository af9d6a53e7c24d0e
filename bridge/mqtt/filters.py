"""Topic filters: whether one is well formed, and whether two can match the same topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def plain(name: str) -> str:
    """A filter without ``$share/GROUP/`` (MQTT 5.0, section 4.8.2)."""
    return name.split("/", 2)[2] if name.startswith("$share/") and name.count("/") > 1 else name


def overlap(one: str, two: str) -> bool:
    """Whether there is a topic that both match, so that a broker may send it once for each.

    Shared subscriptions are matched beside plain ones, and each group beside the others, so they
    double what another filter has just the same.
    """
    first, second = plain(one).split("/"), plain(two).split("/")
    # Section 4.7.2: a filter that begins with a wildcard matches no topic that begins with $.
    if {first[0], second[0]} & {"+", "#"} and (first[0] + second[0]).strip("+#").startswith("$"):
        return False
    return _meet(first, second)


def _meet(first: Sequence[str], second: Sequence[str]) -> bool:
    for index in range(max(len(first), len(second))):
        # "a/#" matches "a" as well (section 4.7.1.2).
        ends = [levels[index] if index < len(levels) else None for levels in (first, second)]
        if "#" in ends:
            return True
        if None in ends:
            return False
        if "+" not in ends and ends[0] != ends[1]:
            return False
    return True


def first_overlap(filters: Sequence[str]) -> tuple[str, str] | None:
    """The first two that overlap; None where none do."""
    for index, one in enumerate(filters):
        for two in filters[index + 1 :]:
            if overlap(one, two):
                return one, two
    return None
