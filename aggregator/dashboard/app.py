"""The HTTP application: the page, its API, its stream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from aggregator.dashboard.metrics import METRICS, PREFIX, age
from aggregator.dashboard.openapi import description
from aggregator.dashboard.sensors import MOST, SensorsError
from aggregator.dashboard.trend import MINUTES
from contract.exposition import CONTENT_TYPE, exposition
from contract.moment import NS_PER_SECOND
from contract.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import Message, Receive, Scope, Send

    from aggregator.dashboard.hub import Hub
    from aggregator.dashboard.sensors import Job

STATIC: Final = Path(__file__).parent / "static"
_LIMIT: Final = 100
_ALIVE_S: Final = 5.0
"""Silence after which a stream says that it is alive."""
_SLOW_S: Final = 15.0
"""What a reader may take to accept what it is sent."""
_STREAM: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would hold it back.
    (b"x-accel-buffering", b"no"),
)
_FRESH: Final = {"Cache-Control": "no-store"}
# The browser asks whether its copy is still the same, and gets 304.
_CHECKED: Final = {"Cache-Control": "no-cache"}


def application(
    hub: Hub,
    job: Job,
    *,
    stale_after: float,
    more: Sequence[BaseRoute] = (),
    more_metrics: Callable[[], str] = str,
) -> Starlette:
    """Everything that is answered.

    Args:
        hub: has the snapshots.
        job: has the sensors.
        stale_after: seconds.
        more: further routes.
        more_metrics: what /metrics answers beside the hub's.
    """
    api = _Api(hub, job, stale_after, more_metrics)
    return Starlette(
        routes=[
            Route("/", api.index),
            Route("/api/snapshot", api.snapshot),
            Route("/api/history", api.history),
            Route("/api/sensors/{state}", api.sensors),
            Route("/api/openapi.json", api.openapi),
            Route("/events", EventStream(hub)),
            Route("/metrics", api.metrics),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
            *more,
            Mount("/static", _Static(directory=STATIC)),
        ]
    )


class _Api:
    def __init__(
        self, hub: Hub, job: Job, stale_after: float, more_metrics: Callable[[], str]
    ) -> None:
        self._more_metrics = more_metrics
        self._hub = hub
        self._job = job
        self._stale_after = stale_after

    async def index(self, _request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers=_CHECKED)

    async def snapshot(self, _request: Request) -> Response:
        return Response(self._hub.current(), media_type="application/json", headers=_FRESH)

    async def history(self, request: Request) -> Response:
        minutes = _number(request, "minutes", MINUTES, MINUTES)
        if minutes is None:
            return _error(400, f"minutes is a number from 1 to {MINUTES}")
        found = self._hub.trend.history(self._hub.clock() / NS_PER_SECOND, minutes)
        return JSONResponse(found, headers=_FRESH)

    async def sensors(self, request: Request) -> Response:
        state = request.path_params["state"]
        if state not in STATES:
            return _error(404, f"{state!r} is none of the 51 states, such as CA")
        limit = _number(request, "limit", _LIMIT, MOST)
        if limit is None:
            return _error(400, f"limit is a number from 1 to {MOST}")
        try:
            found = await asyncio.to_thread(self._job.sensors, state)
        except SensorsError as error:
            return _error(503, str(error))
        found["sensors"] = found["sensors"][:limit]
        return JSONResponse(found, headers=_FRESH)

    async def metrics(self, _request: Request) -> Response:
        text = exposition(PREFIX, METRICS, self._hub) + self._more_metrics()
        return Response(text, media_type=CONTENT_TYPE)

    async def healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        why = unready(self._hub, self._stale_after)
        return PlainTextResponse("\n".join(why or ["ok"]) + "\n", 503 if why else 200)

    async def openapi(self, _request: Request) -> Response:
        return JSONResponse(description())


class EventStream:
    """/events, an ASGI application of its own: it sees when its reader goes, or is too slow.

    Args:
        hub: has the streams.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = dict(scope["headers"])
        query = _query(scope)
        last = headers.get(b"last-event-id", b"").decode("latin-1") or query.get("last_event_id")
        await send({"type": "http.response.start", "status": 200, "headers": list(_STREAM)})
        stream = self._hub.join(last)
        gone = asyncio.create_task(_gone(receive, stream.close))
        try:
            while (chunk := await stream.next(_ALIVE_S)) is not None:
                body = chunk or b": alive\n\n"
                message: Message = {"type": "http.response.body", "body": body, "more_body": True}
                await asyncio.wait_for(send(message), _SLOW_S)
            await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), 1.0)
        except TimeoutError:
            # Its connection is ended by the server, and the page resumes.
            self._hub.streams.give_up(stream)
        except OSError:
            # It went away, which `_gone` may not have told yet.
            stream.close()
        finally:
            gone.cancel()
            self._hub.streams.leave(stream)


class _Static(StaticFiles):
    def file_response(self, *arguments: Any, **keywords: Any) -> Response:
        response = super().file_response(*arguments, **keywords)
        response.headers.update(_CHECKED)
        return response


def unready(hub: Hub, stale_after: float) -> list[str]:
    """Why the page's numbers are not fresh, one sentence each."""
    found = [] if hub.feed.up else [f"{hub.feed.name}: {hub.feed.why}"]
    old = age(hub)
    if hub.unwell:
        found.append(hub.unwell)
    if hub.ring.newest is None:
        found.append("there is no snapshot yet")
    elif old > stale_after:
        found.append(f"the last snapshot is {old:.0f} s old")
    return found


async def _gone(receive: Receive, tell: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    tell()


def _number(request: Request, name: str, default: int, most: int) -> int | None:
    text = request.query_params.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most else None


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1")))


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status, headers=_FRESH)
