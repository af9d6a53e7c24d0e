"""One question over HTTP to another program, bounded in time and bytes.

A timeout of `urllib` is one of each read: who says a byte every few seconds is heard for ever.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from functools import cache
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

from isotherm.settings.tls import TlsFiles, client_context
from isotherm.tasks import where

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

_LEAST: Final = 1024
"""Bytes of an answer that nobody wants to know: enough to see that it came."""
_SAID: Final = 500
"""Bytes of a refusal."""


def ask(
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float,
    total: float,
    max_bytes: int = _LEAST,
) -> bytes:
    """Ask by GET, or tell by POST where there is a body; a redirect is an error.

    Args:
        url: http or https, as the settings take it.
        body: of a POST.
        headers: of the request.
        timeout: of each step, seconds.
        total: of all, seconds.
        max_bytes: what is read of the answer.

    Raises:
        RefusedError: it answers with a refusal, or that the answer is elsewhere.
        OSError: it cannot be reached, or takes too long.
        http.client.HTTPException: it answers with no HTTP.
    """
    deadline = _Deadline(total)
    request = Request(url, body, dict(headers or {}), method="GET" if body is None else "POST")  # noqa: S310 see above
    opener = build_opener(_NoRedirect, _Http(deadline), _Https(deadline))
    try:
        with opener.open(request, timeout=timeout) as answer:
            # One that is cut within its headers looks whole.
            deadline.require()
            found: bytes = answer.read(max_bytes)
            return found
    except HTTPError as error:
        with error, suppress(OSError, HTTPException):
            said = b""
            said = error.read(_SAID)
        raise RefusedError(error.code, said) from None
    except Exception as error:
        if deadline.over:
            raise deadline.error() from error
        raise
    finally:
        deadline.cancel()


class RefusedError(OSError):
    """It answers, and does not do what it was asked.

    Attributes:
        code: HTTP's number.
        said: the first bytes of its answer.
    """

    def __init__(self, code: int, said: bytes = b"") -> None:
        super().__init__(f"it answers {code}")
        self.code = code
        self.said = said


def why(error: Exception) -> str:
    """Why a receiver did not get it, for one log line.

    Without the address, whose path is often a secret, and without what the headers hold.
    """
    if isinstance(error, RefusedError):
        return f"the receiver answers {error.code}"
    reason = getattr(error, "reason", error)
    # What is no error of the system may quote what it was given.
    return str(reason) if isinstance(reason, OSError) else where(error)


class _Deadline:
    """Ends the connection of a question when its time is over."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, opened: socket.socket | None) -> None:
        """Set the socket."""
        self._socket = opened
        if self.over:
            self._end()

    def error(self) -> TimeoutError:
        """What to raise where it is over."""
        return TimeoutError(f"no whole answer within {self._seconds:g} s")

    def require(self) -> None:
        """Raise it where it is over."""
        if self.over:
            raise self.error()

    def cancel(self) -> None:
        """The question has been answered."""
        self._timer.cancel()

    def _end(self) -> None:
        self.over = True
        if self._socket is not None:
            with suppress(OSError, ValueError):
                # Not `close`: who reads is to see the end. Not TLS's own: it would wait.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _watched(make: Callable[..., Any], deadline: _Deadline) -> Callable[..., Any]:
    """What makes connections, each of which tells its socket."""

    def made(*arguments: Any, **keywords: Any) -> Any:
        connection = make(*arguments, **keywords)
        connect = connection.connect

        def watched() -> None:
            connect()
            deadline.watch(connection.sock)

        connection.connect = watched
        return connection

    return made


class _Http(HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def do_open(self, http_class: Any, req: Any, **keywords: Any) -> Any:
        return super().do_open(_watched(http_class, self._deadline), req, **keywords)


@cache
def _tls() -> ssl.SSLContext:
    """Takes the same certificates as everywhere, whatever this Python's default is."""
    return client_context(TlsFiles("http", None, None, None))


class _Https(HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(context=_tls())
        self._deadline = deadline

    def do_open(self, http_class: Any, req: Any, **keywords: Any) -> Any:
        return super().do_open(_watched(http_class, self._deadline), req, **keywords)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        return None
