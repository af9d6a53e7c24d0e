"""The pipeline in one table, or as JSON."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deploy.local.status.part import Part

_DAY_S: Final = 86_400
_HEAD: Final = (
    *("part", "state", "pid", "since", "address", "rate", "behind", "last snapshot", "log"),
)


def table(parts: Sequence[Part], folder: Path, now: float) -> str:
    """A line for each part, in columns.

    Args:
        parts: of one stack.
        folder: of the stack; logs in it are named from there.
        now: seconds since 1970.
    """
    rows = [_HEAD, *(_row(part, folder, now) for part in parts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def as_json(part: Part) -> dict[str, Any]:
    """The same for scripts; times as UTC with Z, numbers as they are."""
    wire = asdict(part)
    wire |= wire.pop("numbers")
    # It is the state already.
    del wire["trouble"]
    if part.since is not None:
        moment = datetime.fromtimestamp(part.since, UTC).isoformat(timespec="seconds")
        wire["since"] = moment.replace("+00:00", "Z")
    return wire


def _row(part: Part, folder: Path, now: float) -> tuple[str, ...]:
    numbers = part.numbers
    log = part.log.removeprefix(f"{folder.resolve()}/")
    return (
        part.name,
        part.state,
        "-" if part.pid is None else str(part.pid),
        "-" if part.since is None else _clock(part.since, now),
        part.address or "-",
        _counted(numbers.rate, numbers.rate_of),
        _counted(numbers.behind, numbers.behind_of),
        "-" if numbers.snapshot_age_s is None else f"{numbers.snapshot_age_s:.1f} s ago",
        log or "-",
    )


def _clock(since: float, now: float) -> str:
    """The local time of day, with the date where that is needed to tell the day."""
    shape = "%H:%M:%S" if now - since < _DAY_S / 2 else "%b %d %H:%M"
    return time.strftime(shape, time.localtime(since))


def _counted(value: float | None, what: str) -> str:
    return "-" if value is None else f"{value:,.0f} {what}"
