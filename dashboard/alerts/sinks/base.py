"""Where alerts go: what a sink is, what its module says of it, and one that works off a queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from dashboard.alerts.notified import after, due
from isotherm.backoff import Backoff
from isotherm.http.client import RefusedError, why
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dashboard.alerts.alert import Alert
    from dashboard.alerts.notified import Notice, NotifiedFile
    from dashboard.alerts.rules import Rule
    from isotherm.log import Log
    from isotherm.tasks import Tasks

ROOM: Final = 500
"""Notices that wait at most; more is a receiver that is long gone."""
PATIENCE_S: Final = 3600.0
"""So long a notice is tried; then it says nothing of now."""
_CLOSE_S: Final = 2.0
_LATER: Final = (408, 425, 429)
"""Of the refusals 4xx those that ask for another try."""


class AlertSink(Protocol):
    """Notifies of what is firing. It gets all of it again and again, and finds what is new.

    Attributes:
        name: for log and metrics.
        sent: messages that were delivered.
        failures: attempts that failed.
        given_up: messages that were never delivered.
        foreign: messages that it found and nobody of us had written.
    """

    name: str
    sent: int
    failures: int
    given_up: int
    foreign: int

    def update(self, firing: Sequence[Alert], now: int) -> None:
        """Learn what is firing; never waits.

        Args:
            firing: all that is.
            now: nanoseconds since 1970.
        """

    def close(self) -> None:
        """End; waits 2 s at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertContext:
    """What the dashboard gives to each sink of alerts.

    Attributes:
        rules: by name.
        repeat: nanoseconds after which what is still firing is sent again.
        log: a line when a sink begins to fail and when it works again.
        tasks: its threads are among them.
        notified: the file that remembers what each sink sent; None where there is none.
    """

    rules: Mapping[str, Rule]
    repeat: int
    log: Log
    tasks: Tasks
    notified: NotifiedFile | None = None


@dataclass(frozen=True, slots=True)
class AlertSinkKind:
    """One kind of sink; the factory finds it in the tuple `SINKS` of its module.

    Attributes:
        settings: a dataclass with its rows; they are rows of the dashboard's settings.
        make: its sinks out of its settings; none where they do not ask for one. Raises
            SettingsError where a file or a package cannot be used. A package that only this sink
            needs is asked for here.
        check: reads the files that the settings name, for `check-config`; raises SettingsError.
        remembers: whether what it sent goes into the file of the setting `alerts.state_file`.
    """

    name: str
    settings: type
    make: Callable[[Any, AlertContext], Sequence[AlertSink]]
    check: Callable[[Any], object] = lambda _settings: None
    remembers: Callable[[Any], bool] = lambda _settings: False


class QueuedSink:
    """Delivers each notice on its own, in order, in a thread of its own; tries again for an hour.

    Args:
        name: for log, metrics and the file of what was sent.
        deliver: delivers one notice; may take its time. Raises RefusedError where the receiver
            refuses it, and anything else where it is to be tried again.
        context: of the dashboard.
        backoff: how long to wait before another try.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Notice], None],
        context: AlertContext,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self._deliver = deliver
        self._context = context
        self._log = context.log
        self._backoff = backoff or Backoff(first=1.0, longest=60.0)
        self._notified = {} if context.notified is None else context.notified.of(name)
        self._delivered = dict(self._notified)
        self._queue: deque[Notice] = deque()
        self._wake = threading.Condition()
        self._closing = False
        warning, info = self._log.warning, self._log.info
        self._failing = Problem(warning, f"{name} fails", info, f"{name} works again")
        self.sent = self.failures = self.given_up = self.foreign = 0
        self._thread = context.tasks.start(
            name, self._run, stopping=lambda: self._closing, again=Backoff(1.0, 60.0)
        )

    def update(self, firing: Sequence[Alert], now: int) -> None:
        """See `AlertSink`."""
        with self._wake:
            for notice in due(self._notified, firing, now, self._context.repeat):
                self._notified = after(self._notified, notice)
                self._queue.append(notice)
                if len(self._queue) > ROOM:
                    self._queue.popleft()
                    self.given_up += 1
            self._wake.notify()

    def close(self) -> None:
        """See `AlertSink`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                notice = self._queue.popleft()
            if not self._see_through(notice):
                return

    def _see_through(self, notice: Notice) -> bool:
        """Deliver it or give it up; False where the end came before."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._deliver(notice)
            except Exception as error:  # noqa: BLE001 whatever it is, the notice is tried again
                self.failures += 1
                final = isinstance(error, RefusedError) and _is_final(error.code)
                self._failing.begin(why=why(error))
                if final or time.monotonic() > give_up:
                    self.given_up += 1
                    return True
                with self._wake:
                    if self._wake.wait_for(lambda: self._closing, self._backoff.next()):
                        return False
            else:
                self._done(notice)
                return True

    def _done(self, notice: Notice) -> None:
        self.sent += 1
        self._backoff.reset()
        self._failing.end(failures=self.failures, given_up=self.given_up)
        self._delivered = after(self._delivered, notice)
        if self._context.notified is not None:
            try:
                self._context.notified.save(self.name, self._delivered)
            except OSError as error:
                self._log.warning("the state of alerts cannot be saved", why=str(error))


def _is_final(status: int) -> bool:
    return 300 <= status < 500 and status not in _LATER  # noqa: PLR2004 the classes of HTTP
