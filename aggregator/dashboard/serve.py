"""The server from its first to its last breath."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from aggregator.dashboard.alerts.setup import make_alerts
from aggregator.dashboard.app import application
from aggregator.dashboard.errors import AddressError
from aggregator.dashboard.file_feed import FileFeed
from aggregator.dashboard.hub import Hub
from aggregator.dashboard.kafka_feed import KafkaFeed
from aggregator.dashboard.security import Guard, read_token
from aggregator.dashboard.sensors import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.dashboard.alerts.service import Alerts
    from aggregator.dashboard.feed import Feed, Inbox
    from aggregator.dashboard.settings import DashboardSettings
    from contract.address import Address
    from contract.log import Log

_GRACE_S: Final = 2
"""What requests may take that are under way at the end."""
_FEED_S: Final = 3.0
_AGAIN_S: Final = 1.0
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
    alerts = make_alerts(settings, log)
    hub = Hub(feed.began, stale_after=settings.stale_after, log=log, consumers=[alerts])
    app = application(
        hub,
        Job(settings.job),
        stale_after=settings.stale_after,
        more=[alerts.route()],
        more_metrics=alerts.exposition,
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    config = uvicorn.Config(
        Guard(app, token),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_S,
        backlog=_BACKLOG,
    )
    stop = threading.Event()
    thread = threading.Thread(target=keep_fed, args=(feed, hub, stop), name="feed", daemon=True)
    with listener:
        asyncio.run(_run(_Server(config), listener, hub, thread, alerts=alerts, log=log))
    stop.set()
    alerts.close()
    thread.join(_FEED_S)
    log.info("stopped", snapshots=hub.snapshots, broken=hub.broken_records)


def keep_fed(feed: Feed, inbox: Inbox, stop: threading.Event) -> None:
    """Run a feed until `stop`; where it ends by a mistake of ours, say so and begin it again."""
    while not stop.is_set():
        try:
            feed.run(inbox, stop)
        except Exception as error:  # noqa: BLE001 a page without a feed would look alive
            inbox.source(replace(feed.began, why=f"its reader failed: {error!r}; begins again"))
            stop.wait(_AGAIN_S)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal again at the end, and the exit code would not be 0.
        yield


async def _run(
    server: _Server,
    listener: socket.socket,
    hub: Hub,
    feed: threading.Thread,
    *,
    alerts: Alerts,
    log: Log,
) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        log.info("stopping", streams=len(hub.streams))
        server.should_exit = True
        hub.streams.close()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    hub.attach(loop)
    feed.start()
    host, port = listener.getsockname()[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    log.info("serving", page=f"http://{place}/", source=hub.feed.name)
    watching = asyncio.create_task(alerts.run())
    await server.serve([listener])
    watching.cancel()


def _feed(settings: DashboardSettings) -> Feed:
    if settings.snapshots is not None:
        return FileFeed(Path(settings.snapshots))
    return KafkaFeed(settings.access, settings.topic)


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        raise AddressError(f"--listen {address}: {why}; choose another address") from error
