"""Readings by trigger, as lines of CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aggregator.sinks.base import SinkContext, SinkKind
from isotherm.settings.table import optional, setting, text

if TYPE_CHECKING:
    from aggregator.analytics.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class CsvSettings:
    """The rows of the CSV file."""

    csv: str | None = setting(
        "output.csv",
        optional(text),
        default=None,
        flag="--csv",
        metavar="FILE.csv",
        help="Append the end of each trigger (nanoseconds) and its readings to this file.",
    )


class CsvSink:
    """Appends a line for each snapshot."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def emit(self, snapshot: Snapshot) -> None:
        """Append one line."""
        self._file.write(f"{snapshot.end},{snapshot.audit.received}\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def make(settings: CsvSettings, _context: SinkContext) -> CsvSink | None:
    """The file; None where it is not asked for."""
    return None if settings.csv is None else CsvSink(Path(settings.csv))


SINKS: Final = (SinkKind("csv", CsvSettings, make),)
