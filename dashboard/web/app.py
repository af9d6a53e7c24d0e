"""The HTTP application: the page, its API, its stream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dashboard.hub.trend import MINUTES
from dashboard.metrics import METRICS, PREFIX, age
from dashboard.web.job_client import MOST, SensorsError
from dashboard.web.openapi import description
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.contract.foreign_json import natural
from isotherm.contract.states import STATES
from isotherm.http.prometheus import CONTENT_TYPE
from isotherm.http.registry import Metrics, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import Message, Receive, Scope, Send

    from dashboard.hub.hub import Hub
    from dashboard.web.job_client import Job

STATIC: Final = Path(__file__).parents[1] / "static"
EVENTS: Final = "/events"
MOST_STREAMS: Final = 384
"""Pages that are open at the same time."""
_QUESTIONS: Final = 4
"""To the job at the same time; each may take some seconds."""
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
    tables: Sequence[Table[Any]] = (),
    faults: Callable[[], list[str]] = list,
) -> Starlette:
    """Everything that is answered.

    Args:
        hub: has the snapshots.
        job: has the sensors.
        stale_after: seconds.
        more: further routes.
        tables: of metrics, beside the hub's.
        faults: a sentence for each task that has ended.
    """
    api = _Api(hub, job, stale_after, Metrics(Table(PREFIX, METRICS, lambda: hub), *tables), faults)
    app = Starlette(
        routes=[
            Route("/", api.index),
            Route("/api/snapshot", api.snapshot),
            Route("/api/history", api.history),
            Route("/api/sensors/{state}", api.sensors),
            Route("/api/openapi.json", api.openapi),
            Route(EVENTS, EventStream(hub)),
            Route("/metrics", api.metrics),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
            *more,
            Mount("/static", _Static(directory=STATIC)),
        ]
    )
    # A path has one spelling; the other would be answered with an address made of the Host header.
    app.router.redirect_slashes = False
    return app


class _Api:
    def __init__(
        self,
        hub: Hub,
        job: Job,
        stale_after: float,
        metrics: Metrics,
        faults: Callable[[], list[str]],
    ) -> None:
        self._metrics = metrics
        self._faults = faults
        self._asking = 0
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
        if self._asking >= _QUESTIONS:
            return _error(503, "the job is being asked too much; ask again in some seconds")
        self._asking += 1
        try:
            found = await asyncio.to_thread(self._job.sensors, state)
        except SensorsError as error:
            return _error(503, str(error))
        finally:
            self._asking -= 1
        found["sensors"] = found["sensors"][:limit]
        return JSONResponse(found, headers=_FRESH)

    async def metrics(self, _request: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def healthz(self, _request: Request) -> Response:
        return _verdict(self._faults())

    async def readyz(self, _request: Request) -> Response:
        return _verdict([*unready(self._hub, self._stale_after), *self._faults()])

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
        if scope["method"] not in ("GET", "HEAD"):
            refused = PlainTextResponse("only GET and HEAD\n", 405, {"Allow": "GET, HEAD"})
            await refused(scope, receive, send)
            return
        if len(self._hub.streams) >= MOST_STREAMS and scope["method"] == "GET":
            full = _error(503, f"{MOST_STREAMS} pages are open; close one, or try again later")
            full.headers["Retry-After"] = "30"
            await full(scope, receive, send)
            return
        headers = dict(scope["headers"])
        query = _query(scope)
        last = headers.get(b"last-event-id", b"").decode("latin-1") or query.get("last_event_id")
        await send({"type": "http.response.start", "status": 200, "headers": list(_STREAM)})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
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
    """The files by their own names alone: no other spelling of a path, no folders."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._names = frozenset(
            f"{each.relative_to(directory)}" for each in directory.rglob("*") if each.is_file()
        )

    async def get_response(self, path: str, scope: Scope) -> Response:
        asked = scope["path"].removeprefix("/static/")
        if asked not in self._names:
            raise HTTPException(404)
        return await super().get_response(path, scope)

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
    found = natural(request.query_params.get(name, str(default)), most)
    return found or None


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1")))


def _verdict(faults: list[str]) -> Response:
    return PlainTextResponse("\n".join(faults or ["ok"]) + "\n", 503 if faults else 200)


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status, headers=_FRESH)
