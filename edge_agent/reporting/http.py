"""/metrics and /healthz of the agent, answered from a view that the main loop renews."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from edge_agent.reporting.metrics import METRICS, PREFIX, View
from isotherm.http.prometheus import exposition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isotherm.log import Log
    from isotherm.settings.address import Address
    from isotherm.tasks import Tasks

FRESH: Final = 1.0
"""Seconds for which a view stands."""
STUCK: Final = 10.0
"""Seconds without a turn of the main loop after which the agent does not count as healthy."""


class HttpReporter:
    """A duty of the main loop: what other threads may look at.

    Args:
        view: makes a view; called in the main loop alone.
        tasks: the agent's background threads, whose ends are no health.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        view: Callable[[], View],
        tasks: Tasks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._tasks = tasks
        self._clock = clock
        self._seen = view()

    def turn(self, now: float) -> float:
        """Renew the view where it is old; seconds until it is."""
        if now - self._seen.turned >= FRESH:
            self._seen = self._view()
        return FRESH

    def exposition(self) -> str:
        """The metrics; from any thread."""
        return exposition(PREFIX, METRICS, self._seen)

    def faults(self) -> list[str]:
        """Why the agent must be started again, if so; from any thread.

        A broker that is away is no reason, nor is a probe with a fault.
        """
        age = self._clock() - self._seen.turned
        stuck = [f"the main loop has not turned for {age:.0f} s"] if age > STUCK else []
        return stuck + self._tasks.faults()

    def notes(self) -> tuple[str, ...]:
        """What a person may want to mend, though the agent goes on; from any thread."""
        return self._seen.notes


@contextmanager
def listening(
    address: Address | None, observer: HttpReporter, log: Log, *, hosts: str | None = None
) -> Iterator[None]:
    """Answer at an address for the time of the context, if there is one.

    An address that is not there yet is waited for beside the main loop.
    """
    if address is None:
        yield
        return
    from isotherm.http.endpoint import (  # noqa: PLC0415 2 MB that most boards can do without
        Endpoint,
        Page,
        metrics,
        verdict,
    )

    def health() -> Page:
        page = verdict(observer.faults())
        return page._replace(body="\n".join([page.body.rstrip("\n"), *observer.notes(), ""]))

    pages = {
        "/metrics": lambda: metrics(observer.exposition()),
        "/healthz": health,
    }
    with Endpoint(address, pages, log=log, hosts=hosts):
        yield
