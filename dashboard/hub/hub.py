"""Where snapshots arrive, and from where they go to whoever wants them."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from dashboard.hub.batches import Batches
from dashboard.hub.event import envelope, event_of, message
from dashboard.hub.recent import Ring
from dashboard.hub.streams import Streams
from dashboard.hub.trend import Trend
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.contract.foreign_json import excerpt
from isotherm.log import Problem
from isotherm.tasks import where

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from dashboard.feeds.base import Source
    from dashboard.hub.event import Event
    from dashboard.hub.streams import Stream
    from isotherm.log import Log

_CATCH_UP_BYTES: Final = 4 << 20
"""What a stream that was lost gets at once; where it missed more it begins anew."""

_ROOM: Final = 500
"""Snapshots on their way from the feed's thread to the server's."""
_ROOM_WAIT_S: Final = 1.0


@dataclass(slots=True)
class _Row:
    """Broken records in a row: the place and the reason of the first, and how many they are."""

    place: str
    why: str
    count: int = 1


class Consumer(Protocol):
    """Wants each snapshot, oldest first, those that were read back too; must not wait."""

    def __call__(self, snapshot: dict[str, Any], received: int) -> None:
        """Take one; `received` in nanoseconds since 1970."""


class Hub:
    """Takes what the feed finds; used in the server's thread alone, but for `Inbox`'s part.

    Args:
        source: how the feed stands at first.
        stale_after: seconds; told to the pages.
        log: one line for each change of the source, and for the first broken record in a row.
        consumers: who else wants the snapshots.
        clock: nanoseconds since 1970.

    Attributes:
        streams: the open ones.
        ring: the last hour.
        trend: the same for lines.
        snapshots: how many came.
        doubles: how many came again, as after a crash of the job.
        broken_records: how many things came that are no snapshots.
        unwell: what the last of them was and where it is; empty once a snapshot came.
        clock: see above.
    """

    def __init__(
        self,
        source: Source,
        *,
        stale_after: float,
        log: Log,
        consumers: Sequence[Consumer] = (),
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.feed = source
        self._stale_after = stale_after
        self._log = log
        self._unreadable = Problem(log.warning, "no snapshot")
        self._consumers = consumers
        self.clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batches = Batches()
        self.streams = Streams()
        self.ring = Ring()
        self.trend = Trend()
        self.snapshots = 0
        self.doubles = 0
        self.broken_records = 0
        self.unwell = ""
        self._lock = threading.Lock()
        self._row: _Row | None = None
        self._room = threading.Semaphore(_ROOM)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say in which loop it lives."""
        self._loop = loop

    # What the feed's thread calls:

    def snapshot(self, snapshot: dict[str, Any]) -> None:
        """See `Inbox`."""
        try:
            event = event_of(snapshot, self.clock())
        except Exception as error:  # noqa: BLE001 it passed the check, and its reader must go on
            self.broken(_name(snapshot), where(error))
        else:
            with self._lock:
                self._row = None
            # A feed that reads back is quicker than the server, and what waits takes memory.
            has_room = self._loop is not None and self._room.acquire(timeout=_ROOM_WAIT_S)
            self._in_loop(self._take, event, has_room)

    def broken(self, where: str, why: str) -> None:
        """See `Inbox`."""
        with self._lock:
            row = self._row
            if row is not None:
                row.count += 1
                return
            row = self._row = _Row(where, why)
        self._in_loop(self._broken_row, row)

    def source(self, source: Source) -> None:
        """See `Inbox`."""
        self._in_loop(self._source, source)

    # What the server calls:

    def current(self) -> bytes:
        """The newest snapshot with what is around it, as JSON."""
        return self._envelope(self.ring.newest)

    def join(self, last: str | None) -> Stream:
        """Begin a stream.

        Args:
            last: the id of the last event that the page has; None where it has none.
        """
        stream = self.streams.open()
        later = self.ring.after(last, most_bytes=_CATCH_UP_BYTES) if last else None
        if last and later is None:
            stream.put(message("reset", b"{}"))
        newest = self.ring.newest
        if later is None:
            later = [newest] if newest else []
        if later:
            # In one piece: it is one thing that waits, however much was missed.
            stream.put(b"".join(self._message(event) for event in later))
        elif newest is None:
            stream.put(message("snapshot", self._envelope(None)))
        else:
            stream.put(self._source_message())
        return stream

    def _in_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._loop is None:
            call(*arguments)
        else:
            try:
                self._loop.call_soon_threadsafe(call, *arguments)
            except RuntimeError:
                # The loop has ended before the feed.
                return

    def _take(self, event: Event, has_room: bool) -> None:  # noqa: FBT001 passed on by the loop
        if has_room:
            self._room.release()
        try:
            self._snapshot(event)
        except Exception as error:  # noqa: BLE001 one snapshot must not keep the next from the page
            self._broken(_name(event.snapshot), where(error))

    def _snapshot(self, event: Event) -> None:
        snapshot = event.snapshot
        # The same once more may have a scope that was missing: the ring knows.
        again = event.id not in self.ring and self._batches.again(snapshot)
        if again or not self.ring.add(event):
            self.doubles += 1
            return
        self._batches.add(snapshot)
        self.trend.add(snapshot, event.received / NS_PER_SECOND)
        self.unwell = ""
        self._unreadable.end()
        self.snapshots += 1
        if self.ring.newest is not event:
            # A scope of an older one came late: nobody is shown the past.
            return
        self.streams.send(self._message(event))
        for consumer in self._consumers:
            consumer(snapshot, event.received)

    def _broken_row(self, row: _Row) -> None:
        with self._lock:
            if self._row is row:
                self._row = None
            count = row.count
        self._broken(row.place, row.why, count)

    def _broken(self, place: str, why: str, count: int = 1) -> None:
        self.broken_records += count
        self._unreadable.begin(where=place, why=why)
        self.unwell = f"the last record is no snapshot that can be shown: {place}: {why}"

    def _source(self, source: Source) -> None:
        if source == self.feed:
            return
        before, self.feed = self.feed, source
        if source.up and not before.up:
            self._log.info("source up", kind=source.kind, name=source.name)
        elif not source.up:
            self._log.warning("source down", kind=source.kind, name=source.name, why=source.why)
        self.streams.send(self._source_message())

    def _source_message(self) -> bytes:
        return message("source", json.dumps(asdict(self.feed)).encode())

    def _message(self, event: Event) -> bytes:
        return message("snapshot", self._envelope(event), event.id)

    def _envelope(self, event: Event | None) -> bytes:
        return envelope(event, now=self.clock(), source=self.feed, stale_after=self._stale_after)


def _name(snapshot: dict[str, Any]) -> str:
    return f"batch {excerpt(snapshot.get('batch_id'))} of query {excerpt(snapshot.get('query_id'))}"
