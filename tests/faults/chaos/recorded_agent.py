"""`isotherm-agent` that writes down what it names, commits and sends, as a program of its own.

    python -m tests.faults.chaos.recorded_agent JOURNAL CLOCK run --config agent.toml

The agent is the real one from its command line on; it knows of none of this. JOURNAL grows by a
line of JSON for each fact, written before the next one can happen, so that it is right after a
SIGKILL too (`tests.faults.chaos.journal` reads it). CLOCK is a file of 8 bytes: by how many
nanoseconds the system clock is wrong right now.
"""

from __future__ import annotations

import functools
import json
import mmap
import os
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from edge_agent.cli.main import main
from edge_agent.mqtt.client import MqttLink
from edge_agent.outbox import clock
from edge_agent.outbox.identity import Stamper
from edge_agent.outbox.storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge_agent.outbox.entry import Entry

_READINGS: Final = "isotherm/v1/readings/"
_EVERYTHING: Final = 1 << 62


class Journal:
    """Appends facts; what is written outlives the process.

    Args:
        path: of the file.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # The line that a kill may have cut off shall spoil no other.
        os.write(self._file, b"\n")
        self.note("life", os.getpid())

    def note(self, what: str, *facts: object) -> None:
        """Append one fact."""
        os.write(self._file, json.dumps([what, *facts]).encode() + b"\n")

    def entries(self, what: str, entries: Iterable[Entry]) -> None:
        """Append entries of the outbox."""
        rows = [
            (entry.id, entry.guid, entry.epoch, entry.seq, entry.temperature) for entry in entries
        ]
        if rows:
            self.note(what, rows)


def record(journal: Journal) -> None:
    """Have the agent of this process write down what it does.

    The seams are those at which an entry gets its name, is on disk, and goes to the broker.
    """
    stamp, gap, apply, load, publish = (
        Stamper.stamp,
        Stamper.gap,
        Database.apply,
        Database.load,
        MqttLink.publish,
    )

    @functools.wraps(stamp)
    def stamping(*arguments: Any, **named: Any) -> Any:
        entry = stamp(*arguments, **named)
        journal.entries("named", [entry])
        return entry

    @functools.wraps(gap)
    def gapping(*arguments: Any, **named: Any) -> Any:
        entry = gap(*arguments, **named)
        journal.entries("named", [entry])
        return entry

    @functools.wraps(apply)
    def applying(self: Database, batch: Any) -> None:
        apply(self, batch)
        journal.entries("kept", batch.entries.values())

    @functools.wraps(load)
    def loading(self: Database) -> Any:
        # A kill may have come between a commit and its line here.
        saved = load(self)
        at = saved.first_id
        while entries := self.read(at, _EVERYTHING, 1000)[0]:
            journal.entries("kept", entries)
            at = entries[-1].id + 1
        return saved

    @functools.wraps(publish)
    def publishing(self: MqttLink, topic: str, payload: bytes, **named: Any) -> int:
        mid = publish(self, topic, payload, **named)
        if topic.startswith(_READINGS):
            journal.note("sent", payload.decode())
        return mid

    for owner, name, wrapper in (
        (Stamper, "stamp", stamping),
        (Stamper, "gap", gapping),
        (Database, "apply", applying),
        (Database, "load", loading),
        (MqttLink, "publish", publishing),
    ):
        setattr(owner, name, wrapper)


def follow_clock(path: str | Path) -> None:
    """Have the system clock be as wrong as a file says, and the kernel say whether it is right."""
    with open(path, "rb") as file:  # noqa: PTH123 takes both
        wrong = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    real = time.time_ns

    def wrong_by() -> int:
        return int(struct.unpack_from("<q", wrong)[0])

    time.time_ns = lambda: real() + wrong_by()
    setattr(clock.SystemClock, "in_sync", lambda _: wrong_by() == 0)  # noqa: B010 mypy forbids =


def set_clock(path: Path, nanoseconds: int) -> None:
    """Say by how much the clock of whoever follows this file is wrong."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(struct.pack("<q", nanoseconds))


if __name__ == "__main__":
    _, told, wrong_clock, *arguments = sys.argv
    follow_clock(wrong_clock)
    written = Journal(told)
    record(written)
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        if end.code == 0:
            written.note("end")
        raise
