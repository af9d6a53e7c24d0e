"""Background tasks whose end is seen: said once, counted, shown in health, or begun again."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from isotherm.errors import IsothermError

if TYPE_CHECKING:
    from collections.abc import Callable

    from isotherm.backoff import Backoff
    from isotherm.log import Log


def where(error: BaseException) -> str:
    """What ended a task, for one log line: the type, and the file and line that raised it.

    The message stands in it only for errors of ours: those of libraries may quote a password.
    """
    if isinstance(error, IsothermError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class Tasks:
    """The background threads of one program; may be used from any thread.

    Args:
        log: an error line for each task that ends against the program's will.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._ends = 0
        self._gone: dict[str, str] = {}

    @property
    def ends(self) -> int:
        """How often a task ended against the program's will; for a metric."""
        return self._ends

    def faults(self) -> list[str]:
        """A sentence for each task that has ended and is not running again; empty while well."""
        with self._lock:
            return [
                f"the task {name} has ended ({why}); see the log, and start the program again"
                for name, why in self._gone.items()
            ]

    def start(
        self,
        name: str,
        run: Callable[[], None],
        *,
        stopping: Callable[[], bool],
        again: Backoff | None = None,
        on_end: Callable[[BaseException | None], None] | None = None,
    ) -> threading.Thread:
        """Run a task in a daemon thread of its own.

        Args:
            name: of the thread, for log, health and debuggers.
            run: the task; it should go on until it is told to stop.
            stopping: whether the end of the task is wanted by now.
            again: the delays before it is begun again; None leaves it ended.
            on_end: told of each end that is not wanted, with the error if there was one.
        """
        thread = threading.Thread(
            target=self._run, args=(name, run, stopping, again, on_end), name=name, daemon=True
        )
        thread.start()
        return thread

    def _run(
        self,
        name: str,
        run: Callable[[], None],
        stopping: Callable[[], bool],
        again: Backoff | None,
        on_end: Callable[[BaseException | None], None] | None,
    ) -> None:
        pause = threading.Event()
        while True:
            error: BaseException | None = None
            try:
                run()
            except BaseException as raised:  # noqa: BLE001 whatever it is, it is said below
                error = raised
            if stopping():
                return
            self.ended(name, error, again=again is not None)
            if on_end is not None:
                on_end(error)
            if again is None or pause.wait(again.next()) or stopping():
                return
            self.began_again(name)

    def began_again(self, name: str) -> None:
        """Say that a task that had ended runs again; for tasks that are no threads."""
        with self._lock:
            self._gone.pop(name, None)
        self._log.info("task started again", task=name)

    def ended(self, name: str, error: BaseException | None, *, again: bool) -> None:
        """Say that a task has ended against the program's will; for tasks that are no threads.

        Args:
            name: of the task.
            error: what ended it, if it did not just return.
            again: whether it will be begun again.
        """
        why = "it returned" if error is None else where(error)
        with self._lock:
            self._ends += 1
            self._gone[name] = why
        self._log.error("task ended", task=name, why=why, again=str(again).lower())
