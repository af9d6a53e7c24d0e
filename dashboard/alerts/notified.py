"""What somebody was told, and what is to be told next: decisions without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dashboard.alerts.alert import Alert
    from dashboard.alerts.condition import Key


class Told(NamedTuple):
    """An alert that was told, and is not over.

    Attributes:
        alert: as it was.
        at: when, nanoseconds since 1970.
    """

    alert: Alert
    at: int


class Notice(NamedTuple):
    """Something to tell.

    Attributes:
        alert: which.
        firing: whether it is, or is over.
        again: whether it was told before.
        at: when it was decided, nanoseconds since 1970.
    """

    alert: Alert
    firing: bool
    again: bool
    at: int


def due(
    told: Mapping[Key, Told], firing: Iterable[Alert], now: int, repeat: int
) -> Iterator[Notice]:
    """What is to be told.

    Args:
        told: what was told and is not over.
        firing: what is.
        now: nanoseconds since 1970.
        repeat: after so many nanoseconds it is told again.
    """
    left = dict(told)
    for alert in firing:
        before = left.pop(alert.key, None)
        if before is None:
            yield Notice(alert, firing=True, again=False, at=now)
        elif now - before.at >= repeat:
            # One alert keeps its beginning, whatever a restart has found of it.
            same = alert._replace(since=before.alert.since)
            yield Notice(same, firing=True, again=True, at=now)
    for key in sorted(left):
        yield Notice(left[key].alert, firing=False, again=False, at=now)


def after(told: Mapping[Key, Told], notice: Notice) -> dict[Key, Told]:
    """What is told once this is."""
    found = dict(told)
    if notice.firing:
        found[notice.alert.key] = Told(notice.alert, notice.at)
    else:
        found.pop(notice.alert.key, None)
    return found
