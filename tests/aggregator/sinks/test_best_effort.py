from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

from aggregator.sinks.best_effort import BestEffortSink
from isotherm.log import start_logging
from tests.aggregator.support.golden import snapshot
from tests.support import await_true

if TYPE_CHECKING:
    from aggregator.analytics.snapshot import Snapshot


class Moody:
    """A sink that hangs or fails when told to."""

    def __init__(self) -> None:
        self.taken: list[Snapshot] = []
        self.fails = False
        self.tried = 0
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.closed = False

    def emit(self, snapshot: Snapshot) -> None:
        self.entered.set()
        self.open.wait()
        self.tried += 1
        if self.fails:
            raise OSError(28, "No space left on device")
        self.taken.append(snapshot)

    def close(self) -> None:
        self.closed = True


def lines(stream: io.StringIO) -> list[str]:
    return [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]


def test_a_sink_that_hangs_delays_nobody_and_what_it_misses_is_counted() -> None:
    inner, said = Moody(), io.StringIO()
    inner.open.clear()
    sink = BestEffortSink("x", inner, start_logging("test", stream=said), room=2)
    sink.emit(snapshot())
    assert inner.entered.wait(10)
    for _ in range(5):
        sink.emit(snapshot())
    assert (sink.dropped, sink.well) == (3, False)
    inner.open.set()
    await_true(lambda: sink.well, "the sink to be well")
    sink.close()
    assert len(inner.taken) == 3
    assert inner.closed
    assert lines(said) == [
        'warn  test sink fails sink=x why="too slow: snapshots are dropped"',
        "info  test sink works again sink=x failed=0 dropped=3",
    ]


def test_failing_is_said_once_and_working_again_once() -> None:
    inner, said = Moody(), io.StringIO()
    sink = BestEffortSink("x", inner, start_logging("test", stream=said), room=10)
    inner.fails = True
    for _ in range(3):
        sink.emit(snapshot())
    await_true(lambda: inner.tried == 3, "three tries")
    inner.fails = False
    for _ in range(2):
        sink.emit(snapshot())
    sink.close()
    assert (sink.failures, sink.dropped, sink.well) == (3, 0, True)
    assert lines(said) == [
        'warn  test sink fails sink=x why="[Errno 28] No space left on device"',
        "info  test sink works again sink=x failed=3 dropped=0",
    ]


def test_of_the_latest_only_the_last_one_waits() -> None:
    inner = Moody()
    inner.open.clear()
    sink = BestEffortSink("x", inner, start_logging("test", stream=io.StringIO()), room=1)
    sink.emit(snapshot())
    assert inner.entered.wait(10)
    sink.emit(snapshot())
    sink.emit(snapshot(idle=True))
    inner.open.set()
    sink.close()
    assert [taken.idle for taken in inner.taken] == [False, True]
