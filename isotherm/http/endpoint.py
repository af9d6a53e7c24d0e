"""A program's HTTP endpoint: /metrics and what it says of its health, in threads of its own.

It is never what keeps a program from its main job: an address that is not there yet (before DHCP),
or that another process has, is tried again until it succeeds.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from isotherm.backoff import Backoff
from isotherm.http.listening import is_quick, listener, why
from isotherm.http.prometheus import CONTENT_TYPE
from isotherm.http.request_check import HostNames, is_foreign, is_link
from isotherm.http.server import Server, encode
from isotherm.log import Log, Problem
from isotherm.settings.address import Address
from isotherm.tasks import Tasks, where

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from isotherm.http.server import Request

_BACKLOG: Final = 64
_CLOSE_S: Final = 1.0
"""The longest that the end of the program waits for the server's."""
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 15.0
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
        log: a line when it listens, and one when the address is not available.
        hosts: names by which it may be asked beside those of `HostNames`, with commas between.
        again: the delays between two tries to listen.
    """

    def __init__(
        self,
        address: Address,
        pages: Mapping[str, Callable[[], Page]],
        *,
        log: Log | None = None,
        hosts: str | None = None,
        again: Backoff | None = None,
    ) -> None:
        self._address = address
        self._pages = pages
        self._log = log or Log("metrics")
        self._names = HostNames(address.host, (hosts or "").split(","))
        self._again = again or Backoff(_FIRST_S, _LONGEST_S)
        self._tasks = Tasks(self._log)
        self._stop = threading.Event()
        self._server: Server | None = None
        self._listener: socket.socket | None = None
        self._deaf = Problem(self._log.warning, "metrics cannot listen; tries again until it can")
        self._failure = Problem(self._log.error, "a request cannot be answered")
        # A name may take a name server's time, which the program has not.
        if is_quick(address):
            self._try()

    @property
    def port(self) -> int:
        """Where it listens, or is to listen."""
        return self._address.port

    @property
    def listens(self) -> bool:
        """Whether it has its address."""
        return self._listener is not None

    def __enter__(self) -> Self:
        self._thread = self._tasks.start(
            "metrics", self._serve, stopping=self._stop.is_set, again=Backoff(_FIRST_S, _LONGEST_S)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        server = self._server
        if server is not None:
            server.stop()
        self._thread.join(_CLOSE_S)

    def answer(self, request: Request) -> bytes:
        """What to say to a request; never raises."""
        head = request.method == "HEAD"
        page, more = self._page(request)
        return encode(page.status, page.kind, page.body, only_head=head, more=more)

    def _serve(self) -> None:
        while not (self.listens or self._try()):
            if self._stop.wait(self._again.next()):
                return
        assert self._listener is not None
        self._server = Server(self._listener, self.answer)
        try:
            if not self._stop.is_set():
                self._server.run()
        finally:
            self._listener.close()
            self._listener = self._server = None

    def _try(self) -> bool:
        try:
            self._listener = listener(self._address, backlog=_BACKLOG)
        except OSError as error:
            self._deaf.begin(
                address=self._address,
                why=why(error),
                fix="free the address, or choose another with --metrics",
            )
            return False
        self._deaf.end()
        self._again.reset()
        # Begun again, it is to be found where it was.
        port = self._listener.getsockname()[1]
        self._address = Address("", self._address.host, port)
        self._log.info("metrics", url=f"http://{self._address}/metrics")
        return True

    def _page(self, request: Request) -> tuple[Page, str]:
        if not self._names.allow(request.headers.get("host")):
            text = (
                "this port does not go by that name: ask for it by its IP address, or add the "
                "name to the setting metrics_hosts\n"
            )
            return Page(HTTPStatus.MISDIRECTED_REQUEST, _TEXT, text), ""
        if is_foreign(request.headers) and not is_link(request.headers):
            return Page(HTTPStatus.FORBIDDEN, _TEXT, "not for pages of other sites\n"), ""
        if request.method not in ("GET", "HEAD"):
            text = "only GET and HEAD\n"
            return Page(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, text), "Allow: GET, HEAD\r\n"
        page = self._pages.get(request.path)
        if page is None:
            # /sensors/CA, /sensors/TX and so on are one.
            here = ", ".join(dict.fromkeys("/" + path.split("/")[1] for path in self._pages))
            return Page(HTTPStatus.NOT_FOUND, _TEXT, f"here are {here}\n"), ""
        try:
            return page(), ""
        except Exception as error:  # noqa: BLE001 whatever it is, the next request is answered
            failed = where(error)
            self._failure.begin(failed, path=request.path, why=failed)
            text = "this cannot be said; see the program's log\n"
            return Page(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, text), ""
