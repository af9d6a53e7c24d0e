"""What the dashboard exports of its alerts; part of its table of metrics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from dashboard.alerts.rules import Limits, rules
from isotherm.http.prometheus import Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dashboard.alerts.alert import Alert
    from dashboard.alerts.sinks.base import AlertSink


class Alerts(Protocol):
    """What the metrics are read from; `service.Alerts` is one.

    Attributes:
        sinks: those that are notified.
    """

    sinks: Sequence[AlertSink]

    @property
    def firing(self) -> Sequence[Alert]:
        """The alerts that are firing."""
        ...


def _firing(alerts: Alerts) -> Iterable[Sample]:
    found = Counter(alert.key.name for alert in alerts.firing)
    for name in rules(Limits()):
        yield Sample(found[name], (("alert", name),))


def _each(read: Callable[[AlertSink], float]) -> Callable[[Alerts], Iterable[Sample]]:
    return lambda alerts: [Sample(read(sink), (("sink", sink.name),)) for sink in alerts.sinks]


ALERT_METRICS: Final[tuple[Metric[Alerts], ...]] = (
    Metric("alerts_firing", "gauge", "The dashboard's own alerts, all states.", _firing, "alert"),
    Metric(
        "alert_messages_total",
        "counter",
        "Messages that a sink of alerts (webhook, mqtt, apprise) delivered.",
        _each(lambda sink: sink.sent),
        "sink",
    ),
    Metric(
        "alert_failures_total",
        "counter",
        "Attempts of a sink that failed and were repeated.",
        _each(lambda sink: sink.failures),
        "sink",
    ),
    Metric(
        "alert_given_up_total",
        "counter",
        "Messages that a sink never delivered: refused, tried for an hour, or no room.",
        _each(lambda sink: sink.given_up),
        "sink",
    ),
    Metric(
        "alert_foreign_total",
        "counter",
        "Retained messages among our alerts that are none of ours, and were not believed.",
        _each(lambda sink: sink.foreign),
        "sink",
    ),
)
