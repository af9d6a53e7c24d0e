"""The dashboard of the pipeline: what flows, how fast, and where it stands still."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboard import Dashboard
from deploy.grafana.panel import Panel, Query

_BRIDGE: Final = "isotherm_bridge_"
_JOB: Final = "isotherm_aggregator_"
_UP: Final = ((0, "down"), (1, "up"))
_READY: Final = ((0, "not ready"), (1, "ready"))


def _rate(metric: str) -> str:
    return f"rate({metric}[$__rate_interval])"


def _state(title: str, about: str, metric: str, words: tuple[tuple[int, str], ...]) -> Panel:
    return Panel(
        title=title,
        about=about,
        kind="stat",
        queries=(Query(expr=metric, legend="{{instance}}"),),
        width=4,
        height=4,
        red_below=1,
        words=words,
    )


PIPELINE: Final = Dashboard(
    uid="isotherm-pipeline",
    title="isotherm: pipeline",
    about="MQTT, bridge, Kafka and job: what flows, how fast, and where it stands still.",
    sections=(
        (
            "At a glance",
            (
                _state("Bridge", "As in its /readyz, which says why.", f"{_BRIDGE}ready", _READY),
                _state(
                    "MQTT", "Every session is connected and subscribed.", f"{_BRIDGE}mqtt_up", _UP
                ),
                _state(
                    "Kafka, from the bridge",
                    "A broker answers and the last delivery did not fail.",
                    f"{_BRIDGE}kafka_up",
                    _UP,
                ),
                _state("Job", "As in its /readyz, which says why.", f"{_JOB}ready", _READY),
                _state(
                    "Kafka, from the job", "Kafka and the topic answer.", f"{_JOB}kafka_up", _UP
                ),
                Panel(
                    title="Lag",
                    about="Offsets of the topic that are not counted yet; a transaction leaves one "
                    "that is no record.",
                    kind="stat",
                    queries=(Query(expr=f"sum({_JOB}lag_offsets)"),),
                    width=4,
                    height=4,
                ),
            ),
        ),
        (
            "Bridge",
            (
                Panel(
                    title="Messages",
                    about="Taken from MQTT, and acknowledged once Kafka has them. They part when "
                    "Kafka is slow.",
                    kind="timeseries",
                    queries=(
                        Query(expr=_rate(f"{_BRIDGE}messages_received_total"), legend="received"),
                        Query(
                            expr=_rate(f"{_BRIDGE}messages_acknowledged_total"),
                            legend="acknowledged",
                        ),
                        Query(
                            expr=_rate(f"{_BRIDGE}messages_redelivered_total"),
                            legend="redelivered",
                        ),
                    ),
                    unit="cps",
                ),
                Panel(
                    title="Readings delivered",
                    about="Readings that Kafka confirmed; a message may hold several.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr=_rate(f"{_BRIDGE}readings_delivered_total"),
                            legend="{{instance}}",
                        ),
                    ),
                    unit="cps",
                ),
                Panel(
                    title="In flight",
                    about="Messages that arrived and are not acknowledged yet.",
                    kind="timeseries",
                    queries=(Query(expr=f"{_BRIDGE}messages_in_flight", legend="{{instance}}"),),
                ),
                Panel(
                    title="Oldest message in flight",
                    about="How long it has waited. Above a minute Kafka does not confirm.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr=f"{_BRIDGE}oldest_unacknowledged_age_seconds",
                            legend="{{instance}}",
                        ),
                    ),
                    unit="s",
                    red=60,
                ),
                Panel(
                    title="Losses and troubles",
                    about="In the last five minutes. Sessions lost and drops lose readings; "
                    "reconnects and Kafka errors do not.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr=f"increase({_BRIDGE}mqtt_sessions_lost_total[5m])",
                            legend="sessions lost",
                        ),
                        Query(
                            expr=f"increase({_BRIDGE}messages_dropped_total[5m])",
                            legend="dropped",
                        ),
                        Query(
                            expr=f"increase({_BRIDGE}mqtt_reconnects_total[5m])",
                            legend="reconnects",
                        ),
                        Query(
                            expr=f"increase({_BRIDGE}kafka_errors_total[5m])",
                            legend="Kafka errors",
                        ),
                    ),
                ),
                Panel(
                    title="Rejected",
                    about="Records per second that are no readings, by reason; each is in the "
                    "dead-letter topic.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr=_rate(f"{_BRIDGE}records_rejected_total") + " > 0",
                            legend="bridge {{reason}}",
                        ),
                        Query(
                            expr=_rate(f"{_JOB}records_rejected_total") + " > 0",
                            legend="job {{reason}}",
                        ),
                    ),
                    unit="cps",
                ),
            ),
        ),
        (
            "Job",
            (
                Panel(
                    title="Trigger",
                    about="How long Spark's last trigger took, beside the time that it has.",
                    kind="timeseries",
                    queries=(
                        Query(expr=f"{_JOB}trigger_seconds", legend="took"),
                        Query(expr=f"{_JOB}trigger_interval_seconds", legend="has"),
                        Query(
                            expr=_rate(f"{_JOB}compute_seconds_total")
                            + " / ignoring (kind) (rate("
                            + f'{_JOB}triggers_total{{kind="data"}}[$__rate_interval]) > 0)',
                            legend="of it our own, on average",
                        ),
                    ),
                    unit="s",
                ),
                Panel(
                    title="Records read",
                    about="By Spark; those of a trigger that is repeated twice.",
                    kind="timeseries",
                    queries=(
                        Query(expr=_rate(f"{_JOB}records_read_total"), legend="{{instance}}"),
                    ),
                    unit="cps",
                ),
                Panel(
                    title="Lag",
                    about="Offsets behind the topic's end. A saw is well; what grows is not.",
                    kind="timeseries",
                    queries=(Query(expr=f"{_JOB}lag_offsets", legend="{{instance}}"),),
                ),
                Panel(
                    title="Sinks",
                    about="1 while a best-effort sink takes what it is given.",
                    kind="timeseries",
                    queries=(Query(expr=f"{_JOB}sink_up", legend="{{sink}}"),),
                    unit="bool_on_off",
                ),
                Panel(
                    title="Missed by sinks, dead letters, restarts",
                    about="In the last five minutes.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr=f"increase({_JOB}sink_dropped_total[5m])",
                            legend="{{sink}} dropped",
                        ),
                        Query(
                            expr=f"increase({_JOB}sink_failures_total[5m])",
                            legend="{{sink}} failed",
                        ),
                        Query(
                            expr=f"increase({_JOB}dead_letters_total[5m])",
                            legend="dead letters",
                        ),
                        Query(
                            expr=f"increase({_JOB}dead_letter_failures_total[5m])",
                            legend="dead letters failed",
                        ),
                        Query(
                            expr=f"increase({_JOB}query_restarts_total[5m])",
                            legend="query restarts",
                        ),
                    ),
                ),
                Panel(
                    title="Ledger",
                    about="Size of its files.",
                    kind="timeseries",
                    queries=(Query(expr=f"{_JOB}ledger_bytes", legend="{{instance}}"),),
                    unit="bytes",
                ),
            ),
        ),
        (
            "Agents",
            (
                Panel(
                    title="Connected",
                    about="Boards that the broker lets send, of those that answer.",
                    kind="timeseries",
                    queries=(
                        Query(expr="sum(isotherm_agent_mqtt_up)", legend="connected"),
                        Query(expr="count(isotherm_agent_mqtt_up)", legend="answering"),
                    ),
                ),
                Panel(
                    title="Readings settled",
                    about="Per second, by what the broker said. Unheard and refused ones wait and "
                    "are tried again.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr="sum by (fate) ("
                            + _rate("isotherm_agent_readings_settled_total")
                            + ")",
                            legend="{{fate}}",
                        ),
                    ),
                    unit="cps",
                ),
                Panel(
                    title="Under way",
                    about="Messages that were sent and are not acknowledged, by board.",
                    kind="timeseries",
                    queries=(
                        Query(expr="isotherm_agent_messages_under_way", legend="{{instance}}"),
                    ),
                ),
            ),
        ),
    ),
)
