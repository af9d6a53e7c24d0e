"""The server from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from dashboard.alerts.factory import make_alerts
from dashboard.errors import AddressError
from dashboard.feeds.file import FileFeed
from dashboard.feeds.kafka import KafkaFeed
from dashboard.hub.hub import Hub
from dashboard.loop_tasks import keep_running
from dashboard.metrics import PREFIX, SERVER_METRICS, Server
from dashboard.web.app import EVENTS, application
from dashboard.web.auth import Guard, read_token
from dashboard.web.connections import Bounded, Connections
from dashboard.web.job_client import Job
from isotherm.backoff import Backoff
from isotherm.http import listening
from isotherm.http.registry import Table
from isotherm.tasks import Tasks, where

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from dashboard.feeds.base import Feed, Inbox
    from dashboard.settings import DashboardSettings
    from isotherm.log import Log
    from isotherm.settings.address import Address

_GRACE_S: Final = 2
"""What requests may take that are under way at the end."""
_FEED_S: Final = 3.0
_AGAIN_S: Final = 1.0
_LONGEST_S: Final = 15.0
_MOST_HEAD: Final = 16_384
"""Bytes of the head of a request."""
_BACKLOG: Final = 512


def serve(settings: DashboardSettings, log: Log) -> None:
    """Serve the page until SIGTERM or Ctrl-C.

    Raises:
        DashboardError: it cannot be served; the sentence has the fix.
        SettingsError: the settings cannot be meant together, or a file cannot be used.
    """
    settings.check()
    settings.access.check_files()
    token = None if settings.token_file is None else read_token(Path(settings.token_file))
    listener = _listen(settings.listen)
    feed = _feed(settings)
    tasks = Tasks(log)
    alerts = make_alerts(settings, log, tasks)
    hub = Hub(feed.began, stale_after=settings.stale_after, log=log, consumers=[alerts])
    connections = Connections()
    around = Server(connections, tasks)
    app = application(
        hub,
        Job(settings.job),
        stale_after=settings.stale_after,
        more=[alerts.route()],
        tables=[Table(PREFIX, SERVER_METRICS, lambda: around), alerts.metrics()],
        faults=tasks.faults,
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    config = uvicorn.Config(
        Bounded(Guard(app, token), connections, frozenset({EVENTS})),
        http=connections.protocol(),
        ws="none",
        h11_max_incomplete_event_size=_MOST_HEAD,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_S,
        backlog=_BACKLOG,
    )
    program = _Program(_Server(config), hub, tasks, log=log)
    try:
        program.begin(feed)
        asyncio.run(
            program.run(
                listener,
                settings.listen,
                {"alerts": alerts.run, "connections": connections.watch},
            )
        )
    finally:
        if listener is not None:
            listener.close()
        program.stop.set()
        alerts.close()
        program.end()
    log.info("stopped", snapshots=hub.snapshots, broken=hub.broken_records)


def keep_fed(feed: Feed, inbox: Inbox, stop: threading.Event, tasks: Tasks) -> threading.Thread:
    """Run a feed until `stop`; where it ends by a mistake of ours, say so and begin it again."""

    def say(error: BaseException | None) -> None:
        # A page without a feed would look alive.
        why = "it returned" if error is None else where(error)
        inbox.source(replace(feed.began, why=f"its reader failed: {why}; begins again"))

    return tasks.start(
        "feed",
        lambda: feed.run(inbox, stop),
        stopping=stop.is_set,
        again=Backoff(_AGAIN_S, _LONGEST_S),
        on_end=say,
    )


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal again at the end, and the exit code would not be 0.
        yield


class _Program:
    """What runs from the first signal handler to the last."""

    def __init__(self, server: _Server, hub: Hub, tasks: Tasks, *, log: Log) -> None:
        self._server = server
        self._hub = hub
        self._tasks = tasks
        self._log = log
        self.stop = threading.Event()
        self._feed: threading.Thread | None = None
        self._begin: Callable[[], threading.Thread] | None = None

    def begin(self, feed: Feed) -> None:
        """Say what feeds it, once it runs."""
        self._begin = lambda: keep_fed(feed, self._hub, self.stop, self._tasks)

    async def run(
        self,
        listener: socket.socket | None,
        address: Address,
        beside: Mapping[str, Callable[[], Awaitable[None]]],
    ) -> None:
        """Serve until a signal comes; alerts do not wait for an address that is not there yet."""
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()

        def end() -> None:
            self._log.info("stopping", streams=len(self._hub.streams))
            self._server.should_exit = True
            self._hub.streams.close()
            ending.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        self._hub.attach(loop)
        assert self._begin is not None
        self._feed = self._begin()
        running = [
            asyncio.create_task(
                keep_running(self._tasks, name, run, Backoff(_AGAIN_S, _LONGEST_S)), name=name
            )
            for name, run in beside.items()
        ]
        found = listener or await self._address(address, ending)
        if found is not None:
            with found:
                self._say(found)
                await self._server.serve([found])
        for each in running:
            each.cancel()

    def end(self) -> None:
        """Wait for the feed, for as long as it may take."""
        if self._feed is not None:
            self._feed.join(_FEED_S)

    async def _address(self, address: Address, ending: asyncio.Event) -> socket.socket | None:
        """Try until the machine has the address; None where the end comes before."""
        again = Backoff(_AGAIN_S, _LONGEST_S)
        self._log.warning(
            "cannot listen yet; tries again until it can",
            address=address,
            fix="give the machine this address, or choose another with --listen",
        )
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), again.next())
            if ending.is_set():
                return None
            # A name may take a name server's time.
            if (found := await asyncio.to_thread(_listen, address)) is not None:
                return found

    def _say(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._log.info("serving", page=f"http://{place}/", source=self._hub.feed.name)


def _feed(settings: DashboardSettings) -> Feed:
    if settings.snapshots is not None:
        return FileFeed(Path(settings.snapshots))
    return KafkaFeed(settings.access, settings.topic)


def _listen(address: Address) -> socket.socket | None:
    """A socket that listens; None where the machine has no such address yet.

    Raises:
        AddressError: it has, and it cannot be taken.
    """
    try:
        return listening.listener(address, backlog=_BACKLOG)
    except OSError as error:
        if listening.is_absent(error):
            return None
        raise AddressError(
            f"--listen {address}: {listening.why(error)}; choose another address"
        ) from error
