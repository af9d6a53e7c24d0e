"""Snapshots in files: one line for each, a folder with a file for each day, the last one alone."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aggregator.analytics.snapshot import to_json
from aggregator.errors import SinkError
from aggregator.sinks.base import SinkContext, SinkKind
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.files import MODE, write_whole
from isotherm.settings.table import optional, setting, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aggregator.analytics.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class SnapshotsSettings:
    """The rows of the file with all snapshots."""

    snapshots: str | None = setting(
        "output.snapshots",
        optional(text),
        default=None,
        flag="--snapshots",
        metavar="FILE.jsonl",
        help="Append one JSON line for each trigger to this file.",
    )


@dataclass(frozen=True, kw_only=True)
class LatestSettings:
    """The rows of the file with the last snapshot."""

    latest: str | None = setting(
        "output.latest",
        optional(text),
        default=None,
        flag="--latest",
        metavar="FILE",
        help="Keep the last snapshot in this JSON file, always whole.",
    )


@dataclass(frozen=True, kw_only=True)
class HistorySettings:
    """The rows of the folder with all snapshots by day."""

    history: str | None = setting(
        "output.history",
        optional(text),
        default=None,
        flag="--history",
        metavar="DIR",
        help="Keep all snapshots in this folder, a file for each day; `isotherm-aggregator "
        "history` queries it.",
    )


class JsonLinesSink:
    """One JSON line for each snapshot, appended to a file in one write.

    Args:
        path: the file; made with its folder where there is none. A line that an earlier crash cut
            off is ended first, so that it stays alone in its harm.
        flag: who asked for it, for messages.
        hangups: how often SIGHUP came: the file was moved away; after each, the next line
            goes into the file that has the name then.

    Raises:
        SinkError: the file cannot be written.
    """

    def __init__(
        self, path: Path, flag: str = "--snapshots", hangups: Callable[[], int] = lambda: 0
    ) -> None:
        self._path = path
        self._flag = flag
        self._hangups = hangups
        self._heard = hangups()
        self._file = self._opened()

    def emit(self, snapshot: Snapshot) -> None:
        """Append one line.

        Raises:
            SinkError: the disk is full or gone.
        """
        line = to_json(snapshot).encode() + b"\n"
        if (heard := self._hangups()) != self._heard:
            file = self._opened()
            os.close(self._file)
            self._file, self._heard = file, heard
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise self._error(error) from error
        if written != len(line):
            raise SinkError(f"{self._flag} {self._path}: only part of a line could be written")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _opened(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, MODE)
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                os.write(file, b"\n")
        except OSError as error:
            raise self._error(error) from error
        return file

    def _error(self, error: OSError) -> SinkError:
        return SinkError(f"{self._flag} {self._path} cannot be written: {error.strerror}")


class HistorySink:
    """All snapshots in a folder, JSON lines in a file for each day (UTC).

    Plain files, since DuckDB locks a file of its own that another process writes; these can be
    read by any number of processes meanwhile.

    Args:
        folder: made where there is none.
        hangups: as in `JsonLinesSink`.

    Raises:
        SinkError: it cannot be written.
    """

    def __init__(self, folder: Path, hangups: Callable[[], int] = lambda: 0) -> None:
        self._folder = folder
        self._hangups = hangups
        self._day = ""
        self._file: JsonLinesSink | None = None
        self._turn(time.time_ns())

    def emit(self, snapshot: Snapshot) -> None:
        """Append to the day's file.

        Raises:
            SinkError: the disk is full or gone.
        """
        self._turn(snapshot.end)
        assert self._file is not None
        self._file.emit(snapshot)

    def close(self) -> None:
        """Close the day's file."""
        if self._file is not None:
            self._file.close()

    def _turn(self, now: int) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime(now // NS_PER_SECOND))
        if day != self._day:
            file = JsonLinesSink(self._folder / f"{day}.jsonl", "--history", self._hangups)
            self.close()
            self._day, self._file = day, file


class LatestSink:
    """The last snapshot as one JSON file, which readers see whole or not at all.

    Args:
        path: replaced at each snapshot; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def emit(self, snapshot: Snapshot) -> None:
        """Write beside it, then rename.

        Raises:
            OSError: the disk is full or gone.
        """
        write_whole(self._path, to_json(snapshot).encode() + b"\n")

    def close(self) -> None:
        """Nothing is open."""


def make_snapshots(settings: SnapshotsSettings, context: SinkContext) -> JsonLinesSink | None:
    """The file with all snapshots; None where it is not asked for."""
    if settings.snapshots is None:
        return None
    return JsonLinesSink(Path(settings.snapshots), hangups=context.hangups)


def make_history(settings: HistorySettings, context: SinkContext) -> HistorySink | None:
    """The folder with a file for each day; None where it is not asked for."""
    return (
        None if settings.history is None else HistorySink(Path(settings.history), context.hangups)
    )


def make_latest(settings: LatestSettings, _context: SinkContext) -> LatestSink | None:
    """The file with the last snapshot; None where it is not asked for."""
    return None if settings.latest is None else LatestSink(Path(settings.latest))


def _written(flag: str, name: str | None, *, folder: bool) -> Iterator[tuple[str, Path, bool]]:
    if name is not None:
        yield flag, Path(name), folder


SINKS: Final = (
    SinkKind(
        "snapshots",
        SnapshotsSettings,
        make_snapshots,
        durable=True,
        files=lambda settings: _written("--snapshots", settings.snapshots, folder=False),
    ),
    SinkKind(
        "history",
        HistorySettings,
        make_history,
        durable=True,
        files=lambda settings: _written("--history", settings.history, folder=True),
    ),
    SinkKind(
        "latest",
        LatestSettings,
        make_latest,
        queue=1,
        files=lambda settings: _written("--latest", settings.latest, folder=False),
    ),
)
