"""An outbox with injected clocks, and what stands in for probes and publisher."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.mqtt.message import Fate, Message
from edge_agent.outbox.options import Options
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.overflow.policy import Bounds, Overflow
from edge_agent.outbox.storage.database import Batch, Database
from edge_agent.sampling.sample import Sample
from isotherm.log import start_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from isotherm.mqtt.status import Mark

NS = 1_000_000_000
START = 1_479_302_799 * NS
MANY = 1 << 40
BOOT = "b0" * 16


class FakeClock:
    """The clocks of a board; a test moves them."""

    def __init__(self, *, synced: bool = True, wall: int = START, uptime: int = 60 * NS) -> None:
        self.synced = synced
        self.now = wall
        self.up = uptime

    def wall(self) -> int:
        return self.now

    def uptime(self) -> int:
        return self.up

    def in_sync(self) -> bool:
        return self.synced

    def pass_by(self, seconds: float) -> None:
        self.now += int(seconds * NS)
        self.up += int(seconds * NS)


class Bench:
    """One life of an outbox.

    Args:
        path: of its file.
        clock: of the board.
    """

    def __init__(
        self,
        path: Path,
        clock: FakeClock | None = None,
        *,
        board: str = "board-1",
        max_rows: int = MANY,
        max_bytes: int = MANY,
        min_free_bytes: int = 0,
        memory_rows: int = 10_000,
        overflow: Overflow = Overflow.DROP_OLDEST,
        wait: float = 180.0,
        boot: str = BOOT,
        rate: float = 1e9,
    ) -> None:
        self.clock = clock or FakeClock()
        self.said = io.StringIO()
        self.monotonic = 1000.0
        self.outbox = Outbox(
            Options(
                path=path,
                destination="d",
                board=board,
                boot=boot,
                bounds=Bounds(
                    max_rows=max_rows,
                    max_bytes=max_bytes,
                    min_free_bytes=min_free_bytes,
                    memory_rows=memory_rows,
                    overflow=overflow,
                ),
                wait=wait,
                interval=1.0,
                rate=rate,
            ),
            clock=self.clock,
            log=start_logging("agent", stream=self.said),
            monotonic=lambda: self.monotonic,
        )
        self.messages: list[Message] = []

    def put(self, *guids: str, ticks: int = 1) -> None:
        """A sample of each guid, `ticks` times."""
        for _ in range(ticks):
            wall, uptime = self.clock.wall(), self.clock.uptime()
            self.outbox.put([Sample(guid, "CA", 59.7, wall, uptime) for guid in guids])

    def commit(self) -> None:
        """Let a second pass, and all of it be committed."""
        self.pass_by(1.0)
        self.outbox.turn(self.monotonic)
        end = time.monotonic() + 20
        while self.outbox._storage._committer.busy:  # noqa: SLF001 what is waited for
            assert time.monotonic() < end
            time.sleep(0.001)
            self.outbox.turn(self.monotonic)

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.clock.pass_by(seconds)

    def take(self) -> list[dict[str, Any]]:
        """All that may be sent now, as records; it stays on its way."""
        records: list[dict[str, Any]] = []
        while (message := self.outbox.next()) is not None:
            self.messages.append(message)
            records += map(json.loads, message.payload.split(b"\n"))
        return records

    def settle(self, fate: Fate = Fate.DELIVERED, reason: str = "") -> None:
        """All that is on its way comes to this."""
        messages, self.messages = self.messages, []
        for message in messages:
            self.outbox.settle(message, fate, reason)

    def drain(self, seconds: float = 3600.0) -> list[dict[str, Any]]:
        """All that is sent and delivered until nothing is left, or so much time has passed."""
        records: list[dict[str, Any]] = []
        end = self.monotonic + seconds
        while self.outbox.rows and self.monotonic < end:
            self.commit()
            records += self.take()
            self.settle()
        return records

    def close(self) -> Mark:
        """End well; what the retained status says."""
        mark = self.outbox.mark
        self.outbox.close()
        return mark

    def kill(self) -> None:
        """End as by kill -9: nothing more is written, and the system closes the files."""
        storage = self.outbox._storage  # noqa: SLF001 a crash is no method of an outbox
        storage.settle(20.0)
        storage.queue._batch = Batch()  # noqa: SLF001 the same
        storage.close(0.1)

    @property
    def lines(self) -> list[str]:
        return self.said.getvalue().splitlines()


def names(records: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """(guid, epoch, seq) of each."""
    return [(r["guid"], r["origin"]["epoch"], r["origin"]["seq"]) for r in records]


def seqs(records: list[dict[str, Any]], guid: str = "a") -> list[int]:
    return [r["origin"]["seq"] for r in records if r["guid"] == guid]


def is_gap(record: dict[str, Any]) -> bool:
    return bool(record["payload"]["format"] == "urn:isotherm:gap:1")


@contextlib.contextmanager
def unable_to_apply(name: str = "SQLITE_FULL") -> Iterator[None]:
    """Meanwhile each commit fails at its end, by default as on a full disk; salvage does not."""
    apply = Database.apply

    def fail(store: Database, batch: Batch) -> None:
        if store.path.suffix == ".salvage":
            apply(store, batch)
            return
        error = sqlite3.DatabaseError(name)
        error.sqlite_errorname = name
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "apply", fail)
        yield
