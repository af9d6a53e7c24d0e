"""A small HTTP/1.1 server for programs whose main job is another: GET and HEAD, bounded in all.

One thread waits for all connections; each answer is made in a short thread of its own, since it may
ask Kafka or a ledger. Everything has a bound: connections, bytes of a request, the time from the
first byte to the last, answers under way. Where all places are taken the oldest connection that has
not asked yet gives way, so that many who never ask cannot keep out one who does.

Not on `http.server`: that has no bound and no deadline, and takes 10 MB, a third of what the agent
has. Every answer ends its connection (RFC 9112, 9.6).
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_CONNECTIONS: Final = 32
MOST_ANSWERS: Final = 8
"""Those that are made at the same time."""
MOST_HEAD: Final = 8192
"""Bytes of a request: Prometheus and browsers need some hundred."""
DEADLINE_S: Final = 10.0
"""From the start of a connection to its end."""
_LINGER_S: Final = 1.0
"""So long the client may take to take note of the end: closed at once, what it has sent and nobody
has read would make the kernel throw our answer away."""
_REST_S: Final = 1.0
"""So long nothing is accepted where the process has no more descriptors."""
_IDLE_S: Final = 60.0
_PORTION: Final = 16_384
_AT_ONCE: Final = 64
_ENDS: Final = (b"\r\n\r\n", b"\n\n")
_TEXT: Final = "text/plain; charset=utf-8"
_READ: Final = selectors.EVENT_READ
_WRITE: Final = selectors.EVENT_WRITE


class Request(NamedTuple):
    """The head of a request.

    Attributes:
        method: ``GET``, ``HEAD`` or another.
        path: without the query.
        headers: by name in lower case; where one comes twice, with a comma between.
    """

    method: str
    path: str
    headers: Mapping[str, str]


class RequestError(ValueError):
    """Bytes that are no request."""


def parse(head: bytes) -> Request:
    """Read the head of a request (RFC 9112, 3 and 5).

    Args:
        head: up to the empty line.

    Raises:
        RequestError: it is none.
    """
    first, *lines = head.decode("latin-1").replace("\r\n", "\n").rstrip("\n").split("\n")
    words = first.split(" ")
    if len(words) != len(("method", "target", "version")) or not words[2].startswith("HTTP/1."):
        raise RequestError("the first line is no request")
    method, target, _ = words
    if not (method.isascii() and method.isalpha() and target.startswith("/")):
        raise RequestError("the first line is no request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise RequestError("a header has no name")
        name = name.lower()
        if name in headers and name == "host":
            raise RequestError("there are two Host headers")
        before = f"{headers[name]}, " if name in headers else ""
        headers[name] = before + value.strip()
    return Request(method, target.partition("?")[0], headers)


def encode(
    status: HTTPStatus, kind: str, body: str, *, only_head: bool = False, more: str = ""
) -> bytes:
    """An answer as it goes over the line.

    Args:
        status: of the answer.
        kind: its Content-Type.
        body: text; what cannot be encoded is escaped.
        only_head: leave the body away, as for HEAD.
        more: further headers, each with its line end.
    """
    data = body.encode("utf-8", "backslashreplace")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(data)}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n"
        f"{more}"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if only_head else data)


class _Connection:
    """One client.

    Attributes:
        asked: whether its whole request is here.
        ends: when it is cut, seconds, monotonic.
    """

    def __init__(self, opened: socket.socket, peer: str, ends: float) -> None:
        self.socket = opened
        self.peer = peer
        self.ends = ends
        self.asked = False
        self.answering = False
        self.received = bytearray()
        self.left = memoryview(b"")


class Server:
    """Answers at a socket that listens, until it is stopped.

    Args:
        listener: is closed at the end.
        answer: makes the bytes of an answer; called in threads of its own, and should not raise.
        clock: seconds, monotonic.

    Attributes:
        cut: connections that were ended before they had their answer.
    """

    def __init__(
        self,
        listener: socket.socket,
        answer: Callable[[Request], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._answer = answer
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._open: dict[_Connection, None] = {}
        self._made: deque[tuple[_Connection, bytes]] = deque()
        self._answering = 0
        self._rests_until: float | None = None
        self._stopped = False
        self._waker, self._woken = socket.socketpair()
        for each in (listener, self._waker, self._woken):
            each.setblocking(False)
        self.cut = 0

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def stop(self) -> None:
        """Have `run` end soon; from any thread."""
        self._stopped = True
        self._wake()

    def run(self) -> None:
        """Answer until `stop`."""
        self._selector.register(self._woken, _READ, self._on_wake)
        self._selector.register(self._listener, _READ, self._on_client)
        try:
            while not self._stopped:
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._expire()
        finally:
            for connection in list(self._open):
                self._close(connection)
            self._selector.close()
            for each in (self._listener, self._waker, self._woken):
                each.close()

    def _wake(self) -> None:
        # Full: it is awake. Closed: it has ended.
        with suppress(OSError):
            self._waker.send(b"\0")

    def _patience(self) -> float:
        ends = [connection.ends for connection in self._open]
        if self._rests_until is not None:
            ends.append(self._rests_until)
        return max(min(ends, default=self._clock() + _IDLE_S) - self._clock(), 0.0)

    def _expire(self) -> None:
        now = self._clock()
        for connection in [each for each in self._open if each.ends <= now]:
            self._cut(connection)
        if self._rests_until is not None and self._rests_until <= now:
            self._rests_until = None
            self._selector.register(self._listener, _READ, self._on_client)

    def _on_wake(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(_PORTION)
        while self._made:
            connection, data = self._made.popleft()
            self._answering -= 1
            if connection in self._open:
                connection.answering = False
                self._send(connection, data)

    def _on_client(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                opened, place = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError:
                # No descriptors, no memory: asked again at once, it would be the same.
                self._rests_until = self._clock() + _REST_S
                self._selector.unregister(self._listener)
                return
            if len(self._open) >= MOST_CONNECTIONS and not self._make_room():
                opened.close()
                self.cut += 1
                continue
            opened.setblocking(False)
            peer = str(place[0]) if isinstance(place, tuple) else ""
            connection = _Connection(opened, peer, self._clock() + DEADLINE_S)
            self._open[connection] = None
            self._watch(connection, _READ, self._on_bytes)

    def _make_room(self) -> bool:
        """Cut the oldest that is not being answered, of the client that has the most."""
        idle = [connection for connection in self._open if not connection.answering]
        if not idle:
            return False
        crowd = Counter(connection.peer for connection in idle)
        waiting = [connection for connection in idle if not connection.asked] or idle
        self._cut(max(waiting, key=lambda connection: crowd[connection.peer]))
        return True

    def _on_bytes(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_PORTION)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        connection.received += data
        received = bytes(connection.received)
        end = min((found for found in map(received.find, _ENDS) if found >= 0), default=-1)
        if end < 0 and len(received) <= MOST_HEAD:
            return
        connection.asked = True
        connection.received.clear()
        self._selector.unregister(connection.socket)
        if not 0 <= end <= MOST_HEAD:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._send(connection, encode(status, _TEXT, "the request is too long\n"))
            return
        try:
            request = parse(received[:end])
        except RequestError as error:
            self._send(connection, encode(HTTPStatus.BAD_REQUEST, _TEXT, f"{error}\n"))
            return
        self._ask(connection, request)

    def _ask(self, connection: _Connection, request: Request) -> None:
        if self._answering >= MOST_ANSWERS:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            text = "too much is asked at once; ask again\n"
            self._send(connection, encode(status, _TEXT, text, more="Retry-After: 1\r\n"))
            return

        def make() -> None:
            data = b""
            try:
                data = self._answer(request)
            finally:
                self._made.append((connection, data))
                self._wake()

        thread = threading.Thread(target=make, name="http-answer", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The machine has no room for another thread.
            self._cut(connection)
            return
        self._answering += 1
        connection.answering = True

    def _send(self, connection: _Connection, data: bytes) -> None:
        connection.left = memoryview(data)
        self._watch(connection, _WRITE, self._on_room)

    def _on_room(self, connection: _Connection) -> None:
        try:
            sent = connection.socket.send(connection.left)
            connection.left = connection.left[sent:]
            if connection.left:
                return
            connection.socket.shutdown(socket.SHUT_WR)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._close(connection)
            return
        self._selector.unregister(connection.socket)
        connection.ends = min(connection.ends, self._clock() + _LINGER_S)
        self._watch(connection, _READ, self._on_rest)

    def _on_rest(self, connection: _Connection) -> None:
        try:
            if connection.socket.recv(_PORTION):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._close(connection)

    def _watch(
        self, connection: _Connection, events: int, call: Callable[[_Connection], None]
    ) -> None:
        def happened() -> None:
            # It may have given way to another within the same turn.
            if connection in self._open:
                call(connection)

        self._selector.register(connection.socket, events, happened)

    def _cut(self, connection: _Connection) -> None:
        if connection.left or not connection.asked or connection.answering:
            self.cut += 1
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        self._open.pop(connection, None)
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        connection.socket.close()
