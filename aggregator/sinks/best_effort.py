"""A sink that may be slow or fail, and never holds up the job."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from isotherm.backoff import Backoff
from isotherm.log import Problem
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from aggregator.analytics.snapshot import Snapshot
    from aggregator.sinks.base import Sink
    from isotherm.log import Log

_LAST_WORDS_S: Final = 5.0


class BestEffortSink:
    """Hands snapshots to another sink in a thread of its own.

    What the other sink fails to take is dropped, counted and logged: once when it begins to fail,
    once when it works again.

    Args:
        name: for the log and the metrics.
        sink: used by that thread alone.
        log: where changes of state go.
        room: how many snapshots wait at most; the oldest makes room. 1: only the latest matters.
        tasks: of the program, which see to the thread; None for some of its own.

    Attributes:
        failures: snapshots that the sink failed to take.
        dropped: those that had to make room.
    """

    def __init__(
        self, name: str, sink: Sink, log: Log, *, room: int, tasks: Tasks | None = None
    ) -> None:
        self.name = name
        self._sink = sink
        self._room = room
        self._waiting: deque[Snapshot] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._failing = Problem(log.warning, "sink fails", log.info, "sink works again", sink=name)
        self.failures = 0
        self.dropped = 0
        self._thread = (tasks or Tasks(log)).start(
            f"sink-{name}", self._work, stopping=lambda: self._closed, again=Backoff(first=1.0)
        )

    @property
    def well(self) -> bool:
        """Whether it took the last snapshot that it was given."""
        return not self._failing

    def emit(self, snapshot: Snapshot) -> None:
        """Leave it for the thread; never waits, never raises."""
        with self._change:
            if len(self._waiting) >= self._room:
                self._waiting.popleft()
                self.dropped += 1
                self._failing.begin(why="too slow: snapshots are dropped")
            self._waiting.append(snapshot)
            self._change.notify_all()

    def close(self) -> None:
        """Give it a few seconds for what waits, and let go of it."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join(_LAST_WORDS_S)
        with self._change:
            self.dropped += len(self._waiting)
            if self._thread.is_alive() or self._waiting:
                self._failing.begin(why="too slow at the end: the last snapshots are dropped")
            self._waiting.clear()

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._waiting and not self._closed:
                    self._change.wait()
                if not self._waiting:
                    break
                snapshot = self._waiting.popleft()
            self._deliver(snapshot)
        self._sink.close()

    def _deliver(self, snapshot: Snapshot) -> None:
        try:
            self._sink.emit(snapshot)
        except Exception as error:  # noqa: BLE001 whatever it is, it is this sink's alone
            with self._change:
                self.failures += 1
                self._failing.begin(why=str(error) or type(error).__name__)
        else:
            with self._change:
                self._failing.end(failed=self.failures, dropped=self.dropped)
