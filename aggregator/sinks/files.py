"""Where snapshots go: each sink takes a snapshot and nothing else."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from aggregator.analytics.snapshot import to_json
from aggregator.errors import SinkError
from aggregator.sinks.console import render
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.files import MODE, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aggregator.analytics.snapshot import Snapshot


class Sink(Protocol):
    """Takes the snapshots of a job in order; the same one again after a crash."""

    def emit(self, snapshot: Snapshot) -> None:
        """Show or store one snapshot; raise SinkError where it cannot be kept."""

    def close(self) -> None:
        """No snapshot comes any more."""


class ConsoleSink:
    """People's view.

    Args:
        stream: usually stdout.
        render: the text of a snapshot; the default is the reference's layout.
    """

    def __init__(self, stream: TextIO, render: Callable[[Snapshot], str] = render) -> None:
        self._stream = stream
        self._render = render

    def emit(self, snapshot: Snapshot) -> None:
        """Print one trigger."""
        self._stream.write(self._render(snapshot))
        self._stream.flush()

    def close(self) -> None:
        """Nothing to do: the stream is the caller's."""


class JsonLinesSink:
    """One JSON line for each snapshot, appended to a file in one write.

    Args:
        path: the file; made with its folder where there is none. A line that an earlier crash cut
            off is ended first, so that it stays alone in its harm.
        flag: who asked for it, for messages.
        hangups: how often somebody said that the file was moved away; with each more, the next line
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
