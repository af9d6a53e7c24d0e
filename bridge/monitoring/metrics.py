"""What the bridge exports: one table, from which /metrics and docs/metrics.md come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.monitoring.health import missing
from isotherm import VERSION
from isotherm.contract.reasons import Reason
from isotherm.http.prometheus import Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.monitoring.health import Vitals
    from isotherm.tasks import Tasks

PREFIX: Final = "isotherm_bridge_"


class View(NamedTuple):
    """What the values are read from.

    Attributes:
        lanes: their numbers are summed.
        kafka: whether a Kafka broker answers just now.
        now: seconds of the monotonic clock.
        tasks: those of the program.
    """

    lanes: Sequence[Vitals]
    kafka: bool
    now: float
    tasks: Tasks


def _summed(name: str) -> Callable[[View], Iterable[Sample]]:
    return lambda view: [Sample(sum(getattr(lane.stats, name) for lane in view.lanes))]


def _all(holds: Callable[[Vitals], bool]) -> Callable[[View], Iterable[Sample]]:
    return lambda view: [Sample(int(all(map(holds, view.lanes))))]


def _rejected(view: View) -> Iterable[Sample]:
    for reason in Reason:
        # Looked up one by one: the pump may put a reason in at any time. Absent ones count 0.
        count = sum(lane.stats.rejected[reason.value] for lane in view.lanes)
        yield Sample(count, (("reason", reason.value),))


def _age(view: View) -> Iterable[Sample]:
    return [Sample(max((lane.stats.age(view.now) for lane in view.lanes), default=0.0))]


def _batch_limit(view: View) -> Iterable[Sample]:
    return [Sample(min((lane.stats.batch_limit for lane in view.lanes), default=0))]


def _kafka_up(view: View) -> Iterable[Sample]:
    return [Sample(int(view.kafka and all(lane.kafka for lane in view.lanes)))]


def _ready(view: View) -> Iterable[Sample]:
    faults = view.tasks.faults()
    return [Sample(int(not missing(view.lanes, kafka=view.kafka, tasks=faults)))]


def _build(_view: View) -> Iterable[Sample]:
    return [Sample(1, (("version", VERSION),))]


METRICS: Final[tuple[Metric[View], ...]] = (
    Metric("build_info", "gauge", "Always 1; the label has isotherm's version.", _build, "version"),
    Metric("ready", "gauge", "1 while messages are forwarded, as in /readyz.", _ready),
    Metric(
        "mqtt_up",
        "gauge",
        "1 while every MQTT session is connected and subscribed.",
        _all(lambda lane: lane.subscribed),
    ),
    Metric(
        "kafka_up",
        "gauge",
        "1 while a Kafka broker answers and the last delivery did not fail.",
        _kafka_up,
    ),
    Metric(
        "messages_received_total",
        "counter",
        "MQTT messages taken from the broker, redeliveries included.",
        _summed("received"),
    ),
    Metric(
        "messages_redelivered_total",
        "counter",
        "MQTT messages that the broker marked as sent before.",
        _summed("duplicates"),
    ),
    Metric(
        "messages_suppressed_total",
        "counter",
        "Redeliveries that were in Kafka already and were acknowledged without writing them.",
        _summed("suppressed"),
    ),
    Metric(
        "messages_acknowledged_total",
        "counter",
        "MQTT messages whose PUBACK was sent, after Kafka confirmed them.",
        _summed("acknowledged"),
    ),
    Metric(
        "messages_stale_total",
        "counter",
        "MQTT messages whose connection ended before their PUBACK; the broker sends them again.",
        _summed("stale"),
    ),
    Metric(
        "messages_dropped_total",
        "counter",
        "MQTT messages at QoS 0 for which there was no room while Kafka was away, or that waited "
        "when the bridge ended.",
        _summed("dropped"),
    ),
    Metric(
        "messages_in_flight",
        "gauge",
        "MQTT messages that arrived and are not acknowledged yet.",
        _summed("in_flight"),
    ),
    Metric(
        "waiting_bytes",
        "gauge",
        "About how much memory those take; at bridge.window_bytes nothing more is read.",
        _summed("waiting_bytes"),
    ),
    Metric(
        "batch_limit_bytes",
        "gauge",
        "The most that goes into one batch, of the lane with the smallest; it falls where the line "
        "to Kafka is slow.",
        _batch_limit,
    ),
    Metric(
        "oldest_unacknowledged_age_seconds",
        "gauge",
        "How long the oldest message in flight has waited; 0 without any.",
        _age,
    ),
    Metric(
        "readings_delivered_total",
        "counter",
        "Readings that Kafka confirmed; an MQTT message may hold several.",
        _summed("delivered"),
    ),
    Metric(
        "records_rejected_total",
        "counter",
        "Records that are no readings, and whose dead letter Kafka confirmed.",
        _rejected,
        "reason",
    ),
    Metric(
        "mqtt_reconnects_total",
        "counter",
        "MQTT connections after the first.",
        _summed("reconnects"),
    ),
    Metric(
        "mqtt_sessions_lost_total",
        "counter",
        "MQTT connections at which the broker had no session though it should have had one.",
        _summed("sessions_lost"),
    ),
    Metric(
        "mqtt_session_lost_timestamp_seconds",
        "gauge",
        "When that was last, seconds since 1970; 0 before the first.",
        lambda view: [Sample(max((lane.stats.session_lost_at for lane in view.lanes), default=0))],
    ),
    Metric(
        "position_searches_incomplete_total",
        "counter",
        "Searches of the position topic that were ended by their time before its beginning.",
        _summed("searches_cut"),
    ),
    Metric(
        "mqtt_sessions",
        "gauge",
        "MQTT sessions that this bridge has, not counting those that others took over.",
        lambda view: [Sample(len(view.lanes))],
    ),
    Metric(
        "mqtt_subscription_faults",
        "gauge",
        "Filters that the broker refuses, or grants only at QoS 0.",
        lambda view: [Sample(sum(len(lane.faults) for lane in view.lanes))],
    ),
    Metric(
        "task_ends_total",
        "counter",
        "Threads of the bridge that ended against its will.",
        lambda view: [Sample(view.tasks.ends)],
    ),
    Metric(
        "kafka_errors_total",
        "counter",
        "Deliveries that had to be repeated, and failed attempts to reach Kafka.",
        _summed("kafka_errors"),
    ),
)
