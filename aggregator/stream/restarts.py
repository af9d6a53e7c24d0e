"""When the query is started again, and how often that is said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from isotherm.backoff import Backoff
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from isotherm.errors import IsothermError
    from isotherm.log import Log


class Restarts:
    """Decides after each end of the query.

    Args:
        log: takes each reason once in a row.
        patience: seconds for which failures may follow each other; None: for ever.
        stop: ends a pause.
        clock: seconds, monotonic.
        backoff: the pauses.

    Attributes:
        count: how many there were.
    """

    def __init__(
        self,
        log: Log,
        *,
        patience: float | None,
        stop: Event,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self._patience = patience
        self._stop = stop
        self._clock = clock
        self._backoff = backoff or Backoff(first=1.0)
        self._failure = Problem(log.warning, "the query starts again")
        self._since: float | None = None
        self._batches = 0
        self.count = 0

    def after(self, error: IsothermError, batches: int) -> None:
        """Say why, and wait a little.

        Args:
            error: what ended the query.
            batches: how many there have been; one that came through begins a new row of failures.

        Raises:
            IsothermError: this one, where it is not to be tried again.
        """
        now = self._clock()
        if self._since is None or batches > self._batches:
            self._failure.end()
            self._since = now
            self._backoff.reset()
        self._batches = batches
        if not error.retriable or (
            self._patience is not None and now - self._since >= self._patience
        ):
            raise error
        self._failure.begin(str(error), reason=str(error))
        self.count += 1
        self._stop.wait(self._backoff.next())
