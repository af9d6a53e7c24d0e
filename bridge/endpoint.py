"""The HTTP endpoint: /metrics, /healthz and /readyz, in threads of its own."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

from bridge.errors import ListenError
from bridge.health import Reach, missing, stuck
from bridge.metrics import CONTENT_TYPE, View, exposition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.health import Vitals
    from bridge.settings import BridgeSettings
    from contract.address import Address
    from contract.log import Log

_SLOW_CLIENT_S: Final = 5.0
_TEXT: Final = "text/plain; charset=utf-8"


class Endpoint:
    """Answers while the context lasts; it only reads, so it never holds up the pump.

    Args:
        address: where to listen; port 0 takes a free one.
        vitals: the lanes' state, asked for at each request.
        kafka: whether a Kafka broker answers just now.

    Raises:
        ListenError: the address cannot be had.
    """

    def __init__(
        self, address: Address, vitals: Callable[[], Sequence[Vitals]], kafka: Callable[[], bool]
    ) -> None:
        self._vitals = vitals
        self._kafka = kafka
        try:
            self._server = _Server(address, self)
        except OSError as error:
            raise ListenError(
                f"--metrics {address}: {error.strerror or error}; choose another address"
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[HTTPStatus, str, str]:
        """Status, content type and body for a path."""
        lanes = self._vitals()
        match path.partition("?")[0]:
            case "/metrics":
                view = View(lanes, self._kafka(), time.monotonic())
                return HTTPStatus.OK, CONTENT_TYPE, exposition(view)
            case "/healthz":
                return _verdict(stuck(lanes))
            case "/readyz":
                return _verdict(missing(lanes, kafka=self._kafka()))
        return HTTPStatus.NOT_FOUND, _TEXT, "here are /metrics, /healthz and /readyz\n"


@contextmanager
def observed(
    settings: BridgeSettings, vitals: Callable[[], Sequence[Vitals]], log: Log
) -> Iterator[None]:
    """Have the bridge answer at `bridge.metrics` for the time of the context, if that is set.

    Raises:
        ListenError: the address cannot be had.
    """
    if settings.metrics is None:
        yield
        return
    with Endpoint(settings.metrics, vitals, Reach(settings.kafka)):
        log.info("metrics", url=f"http://{settings.metrics}/metrics")
        yield


def _verdict(faults: list[str]) -> tuple[HTTPStatus, str, str]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    return status, _TEXT, "\n".join(faults or ["ok"]) + "\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A client that is slow to ask must not keep the bridge from ending.
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
