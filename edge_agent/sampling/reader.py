"""Reads one probe, in a thread of its own where that may take time."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.probes.driver import read_once
from edge_agent.probes.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sampling.places import Place


class Answer(NamedTuple):
    """What one read gave.

    Attributes:
        found: degrees Celsius, or why there are none.
        why: more about the fault, for people.
        wall: the system clock when the read ended, nanoseconds since 1970.
        uptime: nanoseconds since the board started, at the same moment.
    """

    found: float | Fault
    why: str
    wall: int
    uptime: int


class Reader:
    """One read at a time; the caller sees to it that none is asked for before the answer.

    The thread begins with the first read. It is a daemon: one that hangs for ever in a read never
    keeps the program from ending. Whatever a read does, its answer comes.

    Args:
        place: the probe, and whether it needs a thread.
        answer: gets this reader and what a read gave, in whichever thread that was.
        clock: the system clock, nanoseconds since 1970.
        uptime: nanoseconds since the board started.

    Attributes:
        place: the probe's.
        busy: whether a read is under way.
    """

    def __init__(
        self,
        place: Place,
        answer: Callable[[Reader, Answer], None],
        *,
        clock: Callable[[], int],
        uptime: Callable[[], int],
    ) -> None:
        self.place = place
        self.busy = False
        self._answer = answer
        self._clock = clock
        self._uptime = uptime
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def threaded(self) -> bool:
        """Whether it has a thread by now."""
        return self._thread is not None

    def ask(self) -> None:
        """Read once; the answer comes later, or before this returns where no read blocks."""
        self.busy = True
        if not self.place.blocks:
            self._read()
            return
        if self._thread is None:
            name = f"probe {self.place.guid}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._give(Fault.SYSTEM, f"no thread can be started for the probe: {error}")
                return
            self._thread = thread
        self._asked.put(True)

    def close(self) -> None:
        """Let the thread end once it has no read to finish; does not wait for that."""
        self._asked.put(False)

    def _run(self) -> None:
        while self._asked.get():
            self._read()

    def _read(self) -> None:
        self._give(*read_once(self.place.probe))

    def _give(self, found: float | Fault, why: str) -> None:
        self.busy = False
        self._answer(self, Answer(found, why, self._clock(), self._uptime()))
