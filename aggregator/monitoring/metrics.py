"""What the job exports: one table, from which /metrics and docs/metrics.md come."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from aggregator.analytics.audit import Audit
from aggregator.analytics.scopes import EVENT, SINCE_START, WINDOW
from aggregator.kafka.availability import Presence
from aggregator.monitoring.state_metrics import STATE_METRICS
from aggregator.monitoring.view import missing
from isotherm import VERSION
from isotherm.contract.reasons import Reason
from isotherm.http.prometheus import Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aggregator.monitoring.view import View
    from aggregator.sinks.best_effort import BestEffortSink

PREFIX: Final = "isotherm_aggregator_"


def _one(read: Callable[[View], float]) -> Callable[[View], Iterable[Sample]]:
    return lambda view: [Sample(read(view))]


def _each_sink(read: Callable[[BestEffortSink], float]) -> Callable[[View], Iterable[Sample]]:
    return lambda view: [Sample(read(sink), (("sink", sink.name),)) for sink in view.sinks]


def _rejected(view: View) -> Iterable[Sample]:
    for reason in Reason:
        yield Sample(view.observed.rejected[reason.value], (("reason", reason.value),))


def _scopes(name: str) -> Callable[[View], Iterable[Sample]]:
    def read(view: View) -> Iterable[Sample]:
        scopes = view.observed.last.scopes if view.observed.last else {}
        for scope in (WINDOW, SINCE_START, EVENT):
            analytics: Any = scopes.get(scope)
            yield Sample(getattr(analytics, name, 0), (("scope", scope),))

    return read


def _audit(view: View) -> Iterable[Sample]:
    last = view.observed.last
    audit = last.audit_since_start if last else None
    times = last.event_time_since_start if last else None
    found = {field.name: getattr(audit, field.name, None) for field in fields(Audit)}
    found |= {name: getattr(times, name, 0 if audit else None) for name in ("late", "future")}
    found["offline"] = last.offline.total if last and last.offline else None
    for name, value in found.items():
        yield Sample(math.nan if value is None else value, (("number", name),))


def _left_out(view: View) -> Iterable[Sample]:
    window = view.observed.last.event_window if view.observed.last else None
    for why in ("too_late", "ahead"):
        yield Sample(getattr(window, why, 0), (("why", why),))


def _lag(view: View) -> float:
    behind = view.lag.behind() if view.lag else None
    return math.nan if behind is None else behind


def _ledger(view: View) -> float:
    if view.ledger is None:
        return 0
    files = (view.ledger, view.ledger.with_name(f"{view.ledger.name}.wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _ledger_sensors(view: View) -> float:
    last = view.observed.last
    if last is None or SINCE_START not in last.scopes:
        return 0
    if last.approximate is not None:
        return last.approximate.ledger_sensors
    return last.scopes[SINCE_START].total_sensors


def _beyond(view: View) -> Iterable[Sample]:
    approximate = view.observed.last.approximate if view.observed.last else None
    beyond: Any = approximate.beyond if approximate else None
    for name in ("messages", "gaps", "sensors"):
        yield Sample(getattr(beyond, name, 0), (("number", name),))


def _kafka(view: View) -> float:
    return int(view.attendance is not None and view.attendance.missing is Presence.READY)


METRICS: Final[tuple[Metric[View], ...]] = (
    Metric(
        "build_info",
        "gauge",
        "Always 1; the label has isotherm's version.",
        lambda _view: [Sample(1, (("version", VERSION),))],
        "version",
    ),
    Metric(
        "ready",
        "gauge",
        "1 while the numbers are fresh, as in /readyz.",
        _one(lambda v: int(not missing(v))),
    ),
    Metric("kafka_up", "gauge", "1 while Kafka and the topic answer.", _one(_kafka)),
    Metric(
        "snapshot_age_seconds",
        "gauge",
        "Since the last snapshot; before the first, since the start.",
        _one(lambda v: v.age),
    ),
    Metric(
        "triggers_total",
        "counter",
        "Triggers with records, and idle ones.",
        lambda v: [
            Sample(v.observed.triggers, (("kind", "data"),)),
            Sample(v.observed.idle, (("kind", "idle"),)),
        ],
        "kind",
    ),
    Metric(
        "compute_seconds_total",
        "counter",
        "From the batch in hand to the snapshot, all triggers together.",
        _one(lambda v: v.observed.busy_s),
    ),
    Metric(
        "trigger_seconds",
        "gauge",
        "How long Spark's last trigger with records took, all in all.",
        _one(lambda v: v.observed.spark_s),
    ),
    Metric(
        "trigger_interval_seconds",
        "gauge",
        "How much time a trigger has: the setting `trigger`.",
        _one(lambda v: v.trigger),
    ),
    Metric(
        "records_read_total",
        "counter",
        "Records that Spark has read; those of a trigger that is repeated twice.",
        _one(lambda v: v.observed.records),
    ),
    Metric(
        "records_rejected_total",
        "counter",
        "Records that are no readings.",
        _rejected,
        "reason",
    ),
    Metric(
        "lag_offsets",
        "gauge",
        "Offsets of the topic that are not counted yet; NaN where that is not known.",
        _one(_lag),
    ),
    Metric(
        "messages",
        "gauge",
        "Valid readings in the last snapshot; 0 in a scope that was not asked for.",
        _scopes("total_messages"),
        "scope",
    ),
    Metric(
        "sensors",
        "gauge",
        "Distinct sensors in the last snapshot.",
        _scopes("total_sensors"),
        "scope",
    ),
    *STATE_METRICS,
    Metric(
        "audit",
        "gauge",
        "The audit since the start; NaN without the ledger.",
        _audit,
        "number",
    ),
    Metric(
        "event_left_out_total",
        "counter",
        "Readings that are in no event window: too late for it, or too far ahead; since it began.",
        _left_out,
        "why",
    ),
    Metric(
        "dead_letters_total",
        "counter",
        "Dead letters that Kafka confirmed.",
        _one(lambda v: v.letters.written if v.letters else 0),
    ),
    Metric(
        "dead_letter_failures_total",
        "counter",
        "Attempts at writing dead letters that failed and are repeated.",
        _one(lambda v: v.letters.failures if v.letters else 0),
    ),
    Metric(
        "query_restarts_total",
        "counter",
        "How often the query was started again.",
        _one(lambda v: v.observed.restarts),
    ),
    Metric(
        "records_set_aside_total",
        "counter",
        "Records that could not be counted and went to the dead letters instead.",
        _one(lambda v: v.aside.records if v.aside else 0),
    ),
    Metric(
        "task_ends_total",
        "counter",
        "How often a thread of the job ended against its will; it is started again.",
        _one(lambda v: v.tasks.ends if v.tasks else 0),
    ),
    Metric("ledger_bytes", "gauge", "Size of the ledger's files.", _one(_ledger)),
    Metric("ledger_sensors", "gauge", "Sensors with rows in the ledger.", _one(_ledger_sensors)),
    Metric(
        "ledger_capacity",
        "gauge",
        "How many sensors may have rows; NaN without the ledger.",
        _one(lambda v: math.nan if v.capacity is None else v.capacity),
    ),
    Metric(
        "approximate",
        "gauge",
        "1 once sensors came for which the ledger had no room: their number is an estimate.",
        _one(lambda v: int(bool(v.observed.last and v.observed.last.approximate))),
    ),
    Metric("beyond", "gauge", "What came of those; `sensors` is the estimate.", _beyond, "number"),
    Metric(
        "sink_up",
        "gauge",
        "1 while a best-effort sink takes what it is given.",
        _each_sink(lambda sink: int(sink.well)),
        "sink",
    ),
    Metric(
        "sink_failures_total",
        "counter",
        "Snapshots that a best-effort sink failed to take.",
        _each_sink(lambda sink: sink.failures),
        "sink",
    ),
    Metric(
        "sink_dropped_total",
        "counter",
        "Snapshots that a best-effort sink was too slow for.",
        _each_sink(lambda sink: sink.dropped),
        "sink",
    ),
)
