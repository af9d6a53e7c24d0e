"""What the dashboard exports: one table, from which /metrics and docs/metrics.md come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from isotherm import VERSION
from isotherm.contract.event_time import NS_PER_SECOND, parse_event_time
from isotherm.http.prometheus import Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dashboard.hub.hub import Hub
    from isotherm.tasks import Tasks

PREFIX: Final = "isotherm_dashboard_"


def _one(read: Callable[[Hub], float]) -> Callable[[Hub], Iterable[Sample]]:
    return lambda hub: [Sample(read(hub))]


def age(hub: Hub) -> float:
    """Seconds since the end of the last snapshot; NaN before the first.

    One that says that it ends in the future is as old as it is here.
    """
    newest = hub.ring.newest
    if newest is None:
        return math.nan
    ended = min(parse_event_time(newest.snapshot["window"]["end"]), newest.received)
    return (hub.clock() - ended) / NS_PER_SECOND


class Connections(Protocol):
    """The server's connections, of which there are `len`; see `dashboard.web.connections`.

    Attributes:
        cut: how many were cut.
    """

    cut: int

    def __len__(self) -> int: ...


class Server(NamedTuple):
    """What is around the hub."""

    connections: Connections
    tasks: Tasks


SERVER_METRICS: Final[tuple[Metric[Server], ...]] = (
    Metric(
        "connections",
        "gauge",
        "Connections that are open, streams among them.",
        lambda server: [Sample(len(server.connections))],
    ),
    Metric(
        "connections_cut_total",
        "counter",
        "Connections that were cut: they asked or read too slowly, or there were too many.",
        lambda server: [Sample(server.connections.cut)],
    ),
    Metric(
        "task_ends_total",
        "counter",
        "Background tasks that ended against the program's will, and were begun again.",
        lambda server: [Sample(server.tasks.ends)],
    ),
)

METRICS: Final[tuple[Metric[Hub], ...]] = (
    Metric(
        "build_info",
        "gauge",
        "Always 1; the label has isotherm's version.",
        lambda _hub: [Sample(1, (("version", VERSION),))],
        "version",
    ),
    Metric(
        "source_up",
        "gauge",
        "1 while snapshots can come from Kafka or the file.",
        _one(lambda hub: int(hub.feed.up)),
    ),
    Metric(
        "snapshot_age_seconds",
        "gauge",
        "Since the end of the last snapshot; NaN before the first.",
        _one(age),
    ),
    Metric("snapshots_total", "counter", "Snapshots that came.", _one(lambda hub: hub.snapshots)),
    Metric(
        "doubles_total",
        "counter",
        "Snapshots that came again, as after a crash of the job, and were left out.",
        _one(lambda hub: hub.doubles),
    ),
    Metric(
        "broken_total",
        "counter",
        "Records or lines that are no snapshot.",
        _one(lambda hub: hub.broken_records),
    ),
    Metric("streams", "gauge", "Pages that are open.", _one(lambda hub: len(hub.streams))),
    Metric(
        "streams_cut_total",
        "counter",
        "Streams that were ended because their reader was too slow.",
        _one(lambda hub: hub.streams.cut),
    ),
)
