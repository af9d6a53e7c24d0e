"""What the bridge answers over HTTP: /metrics, /healthz and /readyz."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.monitoring.health import Reach, missing, stuck
from bridge.monitoring.metrics import METRICS, PREFIX, View
from isotherm.http.endpoint import Endpoint, Page, metrics, verdict
from isotherm.http.registry import Metrics, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bridge.monitoring.health import Vitals
    from bridge.settings import BridgeSettings
    from isotherm.log import Log
    from isotherm.tasks import Tasks


def pages(
    vitals: Callable[[], Sequence[Vitals]], kafka: Callable[[], bool], tasks: Tasks
) -> Mapping[str, Callable[[], Page]]:
    """What is answered.

    Args:
        vitals: the lanes' state, asked for at each request.
        kafka: whether a Kafka broker answers just now.
        tasks: those of the program.
    """
    exported = Metrics(
        Table(PREFIX, METRICS, lambda: View(vitals(), kafka(), time.monotonic(), tasks))
    )
    return {
        "/metrics": lambda: metrics(exported.text()),
        "/healthz": lambda: verdict(stuck(vitals())),
        "/readyz": lambda: verdict(missing(vitals(), kafka=kafka(), tasks=tasks.faults())),
    }


@contextmanager
def observed(
    settings: BridgeSettings, vitals: Callable[[], Sequence[Vitals]], log: Log, tasks: Tasks
) -> Iterator[None]:
    """Have the bridge answer at `bridge.metrics` for the time of the context, if that is set."""
    if settings.metrics is None:
        yield
        return
    answers = pages(vitals, Reach(settings.kafka), tasks)
    with Endpoint(settings.metrics, answers, log=log, hosts=settings.metrics_hosts):
        yield
