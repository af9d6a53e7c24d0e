"""A program's HTTP endpoint: /metrics and what it says of its health, in threads of its own."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from contract.errors import ListenError
from contract.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from contract.address import Address

_SLOW_CLIENT_S: Final = 5.0
_POLL_S: Final = 0.2
"""The longest that the end of the program waits for the server's."""
_TEXT: Final = "text/plain; charset=utf-8"


class Page(NamedTuple):
    """An answer to a request."""

    status: HTTPStatus
    kind: str
    body: str


def metrics(body: str) -> Page:
    """Metrics in Prometheus' text format."""
    return Page(HTTPStatus.OK, CONTENT_TYPE, body)


def json_page(body: str) -> Page:
    """An object."""
    return Page(HTTPStatus.OK, "application/json", body)


def verdict(faults: list[str]) -> Page:
    """Whether all is well: 200 without any faults, else 503 with a line for each."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    return Page(status, _TEXT, "\n".join(faults or ["ok"]) + "\n")


class Endpoint:
    """Answers while the context lasts; it only reads, so it never holds up the program.

    Args:
        address: where to listen; port 0 takes a free one.
        pages: what to answer, by path; asked at each request, in any thread.

    Raises:
        ListenError: the address cannot be had.
    """

    def __init__(self, address: Address, pages: Mapping[str, Callable[[], Page]]) -> None:
        self._pages = pages
        try:
            self._server = _Server(address, self)
        except OSError as error:
            raise ListenError(
                f"--metrics {address}: {error.strerror or error}; choose another address"
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="metrics", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> Page:
        """What to say to a GET of a path."""
        page = self._pages.get(path.partition("?")[0])
        if page is not None:
            return page()
        # /sensors/CA, /sensors/TX and so on are one.
        here = ", ".join(dict.fromkeys("/" + path.split("/")[1] for path in self._pages))
        return Page(HTTPStatus.NOT_FOUND, _TEXT, f"here are {here}\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A client that is slow to ask must not keep the program from ending.
    block_on_close = False

    def __init__(self, address: Address, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        if ":" in address.host:
            self.address_family = socket.AF_INET6
        super().__init__((address.host, address.port), _Handler)

    def server_bind(self) -> None:
        # http.server would look its own host name up, which may take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is nobody's fault."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "isotherm"
    sys_version = ""
    timeout = _SLOW_CLIENT_S

    def do_GET(self) -> None:
        status, kind, text = self.server.endpoint.answer(self.path)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 http.server's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 http.server's name
        """Quiet: a scrape is no change of state."""
