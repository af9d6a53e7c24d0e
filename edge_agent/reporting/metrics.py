"""What the agent exports: one table, from which /metrics and docs/metrics.md come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.probes.fault import Fault
from isotherm import VERSION
from isotherm.http.prometheus import Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge_agent.mqtt.message import Fate
    from edge_agent.probes.status import ProbeStatus

PREFIX: Final = "isotherm_agent_"


class View(NamedTuple):
    """What the values are read from: the agent at one moment.

    Attributes:
        turned: when the main loop made this, seconds of the monotonic clock.
        connected: the broker lets us send.
        connections: how often it has let us in.
        under_way: messages that were sent and are not acknowledged.
        rows: readings in the outbox, those under way included.
        dropped: readings that the outbox had to drop.
        in_memory: the outbox's disk does not serve.
        fates: readings by what became of them.
        task_ends: how often a background thread ended though it should not.
        part_failures: how often a part that the agent can do without has failed.
        probes: how each probe is, by guid.
        aside: readings that are not sent until the next start, as they alone are refused.
        rival: another agent uses our device.id.
        promised: the broker acknowledges what it takes.
        packet_limit: bytes of the largest packet of readings that we send now.
        notes: what a person may want to mend, a sentence each.
    """

    turned: float
    connected: bool
    connections: int
    under_way: int
    rows: int
    dropped: int
    in_memory: bool
    fates: Mapping[Fate, int]
    task_ends: int
    part_failures: int
    probes: Mapping[str, ProbeStatus]
    aside: int = 0
    rival: bool = False
    promised: bool = True
    packet_limit: int = 0
    notes: tuple[str, ...] = ()


def _one(value: Callable[[View], float]) -> Callable[[View], Iterable[Sample]]:
    return lambda view: [Sample(value(view))]


def _each(value: Callable[[ProbeStatus], float]) -> Callable[[View], Iterable[Sample]]:
    return lambda view: [
        Sample(value(probe), (("probe", guid),)) for guid, probe in view.probes.items()
    ]


def _faults(view: View) -> Iterable[Sample]:
    for guid, probe in view.probes.items():
        for fault in Fault:
            labels = (("probe", guid), ("fault", fault.value))
            yield Sample(probe.faults.get(fault, 0), labels)


def _fates(view: View) -> Iterable[Sample]:
    return [Sample(count, (("fate", fate.value),)) for fate, count in view.fates.items()]


def _build(_view: View) -> Iterable[Sample]:
    return [Sample(1, (("version", VERSION),))]


METRICS: Final[tuple[Metric[View], ...]] = (
    Metric("build_info", "gauge", "Always 1; the label has isotherm's version.", _build, "version"),
    Metric(
        "mqtt_up", "gauge", "1 while the broker lets us send.", _one(lambda v: int(v.connected))
    ),
    Metric(
        "mqtt_connections_total",
        "counter",
        "How often the broker has let us in.",
        _one(lambda v: v.connections),
    ),
    Metric(
        "mqtt_rival",
        "gauge",
        "1 while another agent uses our device.id, and the two throw each other out.",
        _one(lambda v: int(v.rival)),
    ),
    Metric(
        "mqtt_delivery_promised",
        "gauge",
        "0 while the broker takes QoS 0 only, and acknowledges nothing.",
        _one(lambda v: int(v.promised)),
    ),
    Metric(
        "mqtt_packet_limit_bytes",
        "gauge",
        "The largest packet of readings that is sent now, by what the broker takes.",
        _one(lambda v: v.packet_limit),
    ),
    Metric(
        "messages_under_way",
        "gauge",
        "Messages that were sent and are not acknowledged.",
        _one(lambda v: v.under_way),
    ),
    Metric(
        "outbox_readings",
        "gauge",
        "Readings that wait in the outbox, those under way included.",
        _one(lambda v: v.rows),
    ),
    Metric(
        "outbox_dropped_total",
        "counter",
        "Readings that the outbox had to drop.",
        _one(lambda v: v.dropped),
    ),
    Metric(
        "outbox_aside",
        "gauge",
        "Readings that are not sent until the next start, as the broker refuses them alone.",
        _one(lambda v: v.aside),
    ),
    Metric(
        "outbox_in_memory",
        "gauge",
        "1 while the outbox's disk does not serve, and a power cut would lose what waits.",
        _one(lambda v: int(v.in_memory)),
    ),
    Metric(
        "readings_settled_total",
        "counter",
        "Readings that the broker answered for: delivered, unheard (nobody subscribes), refused.",
        _fates,
        "fate",
    ),
    Metric(
        "task_ends_total",
        "counter",
        "How often a background task ended though it should not; the log says which and why.",
        _one(lambda v: v.task_ends),
    ),
    Metric(
        "part_failures_total",
        "counter",
        "How often a part that readings do not need has failed; the log says which and why.",
        _one(lambda v: v.part_failures),
    ),
    Metric(
        "probe_readings_total",
        "counter",
        "Temperatures that a probe gave.",
        _each(lambda p: p.readings),
        "probe",
    ),
    Metric(
        "probe_up",
        "gauge",
        "1 unless a probe's last read was a fault.",
        _each(lambda p: int(p.fault is None)),
        "probe",
    ),
    Metric("probe_faults_total", "counter", "Reads that gave none.", _faults, "probe, fault"),
    Metric(
        "probe_skipped_total",
        "counter",
        "Ticks at which the read before was still under way.",
        _each(lambda p: p.skipped),
        "probe",
    ),
)
