"""The webhook: each notice is one POST, in order, from a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from dashboard.alerts.alert import FIRING, RESOLVED, encode, wire
from dashboard.alerts.notified import after, due
from isotherm import VERSION
from isotherm.backoff import Backoff
from isotherm.http.client import RefusedError, ask
from isotherm.log import Problem
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dashboard.alerts.alert import Alert
    from dashboard.alerts.condition import Key
    from dashboard.alerts.notified import Notice, Told
    from dashboard.alerts.rules import Rule
    from isotherm.log import Log
    from isotherm.tasks import Tasks

ROOM: Final = 500
"""Notices that wait at most; more is a receiver that is long gone."""
PATIENCE_S: Final = 3600.0
"""So long a notice is tried; then it says nothing of now."""
_TIMEOUT_S: Final = 10.0
_TOTAL_S: Final = 30.0
"""What a receiver may take in all, however little it says at a time."""
_CLOSE_S: Final = 2.0
_LATER: Final = (408, 425, 429)
"""Of the refusals 4xx those that ask for another try."""


class Post(Protocol):
    """Delivers one body."""

    def __call__(self, body: bytes) -> None:
        """Deliver it.

        Raises:
            RefusedError: the receiver refused it.
            OSError: it cannot be reached.
        """


class Webhook:
    """Tells a receiver by POST what began and what is over, and again what goes on.

    Args:
        post: delivers a body.
        rules: by name.
        repeat: nanoseconds after which what is still firing is told again.
        told: what was told before a restart.
        save: remembers what was told; called in the webhook's thread.
        log: one line when it begins to fail and when it works again.
        tasks: the webhook's thread is one of them.
        backoff: how long to wait before another try.
    """

    name = "webhook"

    def __init__(
        self,
        post: Post,
        rules: Mapping[str, Rule],
        *,
        repeat: int,
        log: Log,
        tasks: Tasks,
        told: Mapping[Key, Told] | None = None,
        save: Callable[[Mapping[Key, Told]], None] = lambda _told: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._post = post
        self._rules = rules
        self._repeat = repeat
        self._log = log
        self._save = save
        self._backoff = backoff or Backoff(first=1.0, longest=60.0)
        self._told = dict(told or {})
        self._delivered = dict(self._told)
        self._queue: deque[Notice] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._failing = Problem(log.warning, "webhook fails", log.info, "webhook works again")
        self.sent = self.failures = self.given_up = self.foreign = 0
        self._thread = tasks.start(
            "webhook", self._run, stopping=lambda: self._closing, again=Backoff(1.0, 60.0)
        )

    def update(self, firing: Sequence[Alert], now: int) -> None:
        """See `AlertSink`."""
        with self._wake:
            for notice in due(self._told, firing, now, self._repeat):
                self._told = after(self._told, notice)
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
                self._post(self._body(notice))
            except Exception as error:  # noqa: BLE001 whatever it is, the notice is tried again
                self.failures += 1
                final = isinstance(error, RefusedError) and _is_final(error.code)
                self._failing.begin(why=_why(error))
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
        try:
            self._save(self._delivered)
        except OSError as error:
            self._log.warning("what was told cannot be remembered", why=str(error))

    def _body(self, notice: Notice) -> bytes:
        alert = notice.alert
        return encode(
            wire(
                alert,
                self._rules[alert.key.name],
                status=FIRING if notice.firing else RESOLVED,
                at=notice.at,
                again=notice.again,
            )
        )


class HttpPost:
    """A POST of JSON; a redirect is an error, since it would become a GET.

    Args:
        url: of the receiver.
        token: sent as a Bearer token; None for none.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"isotherm/{VERSION}",
        }
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def __call__(self, body: bytes) -> None:
        """See `Post`."""
        ask(self._url, body=body, headers=self._headers, timeout=_TIMEOUT_S, total=_TOTAL_S)


def _is_final(status: int) -> bool:
    return 300 <= status < 500 and status not in _LATER  # noqa: PLR2004 the classes of HTTP


def _why(error: Exception) -> str:
    """Without the address, whose path is often a secret, and without the token."""
    if isinstance(error, RefusedError):
        return f"the receiver answers {error.code}"
    reason = getattr(error, "reason", error)
    # What is no error of the system may quote what it was given.
    return str(reason) if isinstance(reason, OSError) else where(error)
