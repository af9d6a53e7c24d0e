"""Bounds on the connections of the page's server, which uvicorn leaves open.

uvicorn has no deadline for the head of a request, no bound on connections, and when it closes a
connection it waits for ever until its client has read what is left. So each connection is watched
from its first byte: it is cut where it does not ask, does not read, or takes too long. Where all
places are taken the oldest that is not being answered gives way.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

MOST: Final = 512
"""Connections: a browser has six of them, of which one is a stream."""
HEAD_S: Final = 10.0
"""From the start of a connection, or from the end of an answer, to the end of the next request's
head; and the longest that a client may read nothing of what is left for it."""
ANSWER_S: Final = 30.0
"""For an answer; streams are cut by their own rule."""
LEFT_S: Final = 60.0
"""For a client that reads what is left, but slowly."""
_LOOK_S: Final = 0.5

Client = tuple[str, int]


@dataclass(slots=True)
class _Connection:
    transport: asyncio.Transport
    since: float
    """When it began, or its last answer ended, seconds, monotonic."""
    moved: float
    """When it last read something of what is left for it."""
    left: int = 0
    """Bytes that are left for it."""
    ends: float | None = None
    """When the answer under way must have ended; None while there is none."""


class Connections:
    """All of one server; used in its thread alone.

    Args:
        clock: seconds, monotonic.

    Attributes:
        cut: how many were cut.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[Client, _Connection] = {}
        self.cut = 0

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def protocol(self) -> type[asyncio.Protocol]:
        """The class that uvicorn makes for each connection (its setting `http`)."""
        table = self

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                super().connection_made(transport)
                table.opened(self.client, transport)

            def connection_lost(self, exc: Exception | None) -> None:
                table.closed(self.client, self.transport)
                super().connection_lost(exc)

        return Protocol

    def opened(self, client: Client | None, transport: asyncio.Transport) -> None:
        """One has come."""
        if client is None or (len(self._open) >= MOST and not self._make_room()):
            # Gone already, or all others are being answered.
            self.cut += 1
            transport.abort()
            return
        now = self._clock()
        self._open[client] = _Connection(transport, now, now)

    def closed(self, client: Client | None, transport: asyncio.Transport) -> None:
        """One has gone."""
        if client is not None:
            known = self._open.get(client)
            if known is not None and known.transport is transport:
                del self._open[client]

    def begins(self, client: Client | None, seconds: float) -> None:
        """An answer is under way; it must have ended after so many seconds."""
        known = self._open.get(client) if client is not None else None
        if known is not None:
            known.ends = self._clock() + seconds

    def ended(self, client: Client | None) -> None:
        """The answer is over; what is left of it is still to be read."""
        known = self._open.get(client) if client is not None else None
        if known is not None:
            known.ends = None
            known.since = known.moved = self._clock()
            known.left = 0

    def look(self) -> None:
        """Cut those whose time is over."""
        now = self._clock()
        for client, known in list(self._open.items()):
            if self._is_over(known, now):
                self._cut(client)

    async def watch(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def _is_over(self, known: _Connection, now: float) -> bool:
        if known.ends is not None:
            return now > known.ends
        left = known.transport.get_write_buffer_size()
        if 0 < left < known.left:
            known.moved = now
        known.left = left
        return now - max(known.since, known.moved) > HEAD_S or now - known.since > LEFT_S

    def _make_room(self) -> bool:
        """Cut the oldest that is not being answered, of the client that has the most."""
        idle = [client for client, known in self._open.items() if known.ends is None]
        if not idle:
            return False
        crowd = Counter(host for host, _ in idle)
        self._cut(max(idle, key=lambda client: crowd[client[0]]))
        return True

    def _cut(self, client: Client) -> None:
        known = self._open.pop(client)
        self.cut += 1
        known.transport.abort()


class Bounded:
    """The outermost application: says when an answer begins and when it is over.

    Args:
        app: the application.
        connections: are told.
        endless: the paths whose answers have no end.
    """

    def __init__(self, app: ASGIApp, connections: Connections, endless: frozenset[str]) -> None:
        self._app = app
        self._connections = connections
        self._endless = endless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        client: Any = scope.get("client")
        client = client and tuple(client)
        seconds = float("inf") if scope.get("path") in self._endless else ANSWER_S
        self._connections.begins(client, seconds)
        try:
            await self._app(scope, receive, send)
        finally:
            self._connections.ended(client)
