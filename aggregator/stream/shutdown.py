"""Signals: Ctrl-C and SIGTERM let the batch in hand finish, and no other begin; SIGHUP."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pyspark.java_gateway import ensure_callback_server_started

from aggregator.errors import StoppingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from pyspark.sql import SparkSession

SIGNALS: Final = ("TERM", "INT")


class Gate:
    """Through which every batch goes, so that the end never cuts one off.

    Attributes:
        stop: set once the person asked for the end.
        hangups: how often SIGHUP came that did not ask for the end.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.hangups = 0
        self._free = threading.Lock()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One batch.

        Raises:
            StoppingError: the end has begun.
        """
        with self._free:
            if self.stop.is_set():
                raise StoppingError
            yield

    def wait_free(self, seconds: float) -> bool:
        """Wait until no batch is in hand; False where that took longer."""
        free = self._free.acquire(timeout=seconds)
        if free:
            self._free.release()
        return free


def heed_signals(spark: SparkSession, gate: Gate, hangup: Callable[[], None]) -> None:
    """Close the gate at SIGTERM and SIGINT; at SIGHUP do what is asked.

    Args:
        spark: the session.
        gate: the way to the end.
        hangup: called in any thread.

    Under spark-submit the process that people signal is Java, which would end at once and take
    Spark with it; so Java gets a handler too.
    """
    actions = {**dict.fromkeys(SIGNALS, gate.stop.set), "HUP": hangup}
    for name, action in actions.items():
        signal.signal(getattr(signal, f"SIG{name}"), _python_handler(action))
    context = spark.sparkContext
    gateway = context._gateway  # noqa: SLF001 foreachBatch calls back through the same server
    view = context._jvm  # noqa: SLF001 the same
    assert gateway is not None
    assert view is not None
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
    for name, action in actions.items():
        view.sun.misc.Signal.handle(view.sun.misc.Signal(name), _JavaHandler(action))


def _python_handler(action: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: action()


class _JavaHandler:
    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action

    def handle(self, _signal: Any) -> None:
        self._action()

    class Java:
        implements = ("sun.misc.SignalHandler",)
