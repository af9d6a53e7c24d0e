"""The alerts of the dashboard: takes snapshots, looks at the clock, tells the sinks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboard.alerts.alert import FIRING, wire
from dashboard.alerts.metrics import ALERT_METRICS
from dashboard.metrics import PREFIX
from isotherm.contract.event_time import NS_PER_SECOND, format_event_time
from isotherm.http.registry import Table
from isotherm.log import Problem
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from dashboard.alerts.alert import Alert
    from dashboard.alerts.engine import Engine
    from dashboard.alerts.sinks.base import AlertSink
    from isotherm.log import Log

TICK_S: Final = 1.0
_READING_BACK: Final = 60 * NS_PER_SECOND
"""Between two ticks snapshots of now get on by seconds; who gets on by more reads back."""


class Alerts:
    """A consumer of the hub; used in the server's thread alone.

    Args:
        engine: knows what is firing.
        sinks: get what is firing.
        log: one line for each alert that begins or ends.
        clock: nanoseconds since 1970.

    Attributes:
        sinks: see above.
    """

    def __init__(
        self,
        engine: Engine,
        sinks: Sequence[AlertSink],
        *,
        log: Log,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._engine = engine
        self.sinks = sinks
        self._log = log
        self._clock = clock
        self._end = engine.end
        self._settled = engine.firing()
        self._unread = Problem(log.warning, "alerts cannot read a snapshot")
        self._failing = {
            sink.name: Problem(log.error, "a sink of alerts fails", sink=sink.name)
            for sink in sinks
        }

    def __call__(self, snapshot: dict[str, Any], received: int) -> None:
        """Take a snapshot; see `Consumer` in `hub`."""
        try:
            self._engine.snapshot(snapshot, received)
        except Exception as error:  # noqa: BLE001 it passed the check, and the page must go on
            why = where(error)
            self._unread.begin(why, why=why)
        else:
            self._unread.end()

    @property
    def firing(self) -> list[Alert]:
        """What is firing now."""
        return self._settled

    def tick(self) -> None:
        """Look at the clock, and tell the sinks; to be called every `TICK_S`.

        While the last hour is read back the sinks get nothing: what was firing then is not what
        is firing now.
        """
        now = self._clock()
        self._engine.tick(now)
        advanced, self._end = self._engine.end - self._end, self._engine.end
        if advanced > _READING_BACK:
            return
        before = {alert.key for alert in self._settled}
        self._settled = self._engine.firing()
        after = {alert.key: alert for alert in self._settled}
        for key in after.keys() - before:
            rule = self._engine.rules[key.name]
            why = rule.summary.format(place=key.place, value=after[key].value)
            self._log.warning("alert", name=key.name, state=key.place, why=why)
        for key in before - after.keys():
            self._log.info("alert is over", name=key.name, state=key.place)
        for sink in self.sinks:
            self._tell(sink, now)

    def _tell(self, sink: AlertSink, now: int) -> None:
        """Update one sink; its error does not reach the others, and the next tick tries again."""
        try:
            sink.update(self._settled, now)
        except Exception as error:  # noqa: BLE001 see above
            sink.failures += 1
            why = where(error)
            self._failing[sink.name].begin(why, why=why)
        else:
            self._failing[sink.name].end()

    async def run(self) -> None:
        """Tick until it is cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    def close(self) -> None:
        """End the sinks."""
        for sink in self.sinks:
            sink.close()

    def shown(self) -> dict[str, Any]:
        """What /api/alerts answers."""
        now = self._clock()
        return {
            "now": format_event_time(now),
            "alerts": [
                wire(alert, self._engine.rules[alert.key.name], status=FIRING, at=now)
                for alert in self._settled
            ],
            "sinks": [
                {
                    "name": sink.name,
                    "sent": sink.sent,
                    "failures": sink.failures,
                    "given_up": sink.given_up,
                }
                for sink in self.sinks
            ],
        }

    def metrics(self) -> Table[Alerts]:
        """What /metrics answers of them."""
        return Table(PREFIX, ALERT_METRICS, lambda: self)

    def route(self) -> Route:
        """The route /api/alerts."""

        async def answer(_request: Request) -> JSONResponse:
            return JSONResponse(self.shown(), headers={"Cache-Control": "no-store"})

        return Route("/api/alerts", answer)
