"""Where snapshots go: each sink takes a snapshot and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TextIO

from aggregator.console import render
from aggregator.errors import SinkError
from aggregator.snapshot import to_json

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.snapshot import Snapshot


class Sink(Protocol):
    """Takes the snapshots of a job in order; the same one again after a crash."""

    def emit(self, snapshot: Snapshot) -> None:
        """Show or store one snapshot; raise SinkError where it cannot be kept."""

    def close(self) -> None:
        """No snapshot comes any more."""


class ConsoleSink:
    """People's view, in the reference's layout.

    Args:
        stream: usually stdout.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def emit(self, snapshot: Snapshot) -> None:
        """Print one trigger."""
        self._stream.write(render(snapshot))
        self._stream.flush()

    def close(self) -> None:
        """Nothing to do: the stream is the caller's."""


class JsonLinesSink:
    """One JSON line for each snapshot, appended to a file in one write.

    Args:
        path: the file; made with its folder where there is none. A line that an earlier crash cut
            off is ended first, so that it stays alone in its harm.

    Raises:
        SinkError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
        except OSError as error:
            raise self._error(error) from error

    def emit(self, snapshot: Snapshot) -> None:
        """Append one line.

        Raises:
            SinkError: the disk is full or gone.
        """
        line = to_json(snapshot).encode() + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise self._error(error) from error
        if written != len(line):
            raise SinkError(f"--snapshots {self._path}: only part of a line could be written")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _error(self, error: OSError) -> SinkError:
        return SinkError(f"--snapshots {self._path} cannot be written: {error.strerror}")
