"""The dashboard of the fleet: how warm, how many, what is missing."""

from __future__ import annotations

from typing import Final

from deploy.grafana.dashboard import Dashboard
from deploy.grafana.panel import Panel, Query

_JOB: Final = "isotherm_aggregator_"

FLEET: Final = Dashboard(
    uid="isotherm-fleet",
    title="isotherm: fleet",
    about="How warm each state is, which sensors report, and what is missing.",
    sections=(
        (
            "At a glance",
            (
                Panel(
                    title="Age of the snapshot",
                    about="Since the job's last snapshot. Red when the numbers below are old.",
                    kind="stat",
                    queries=(Query(expr=f"max({_JOB}snapshot_age_seconds)"),),
                    unit="s",
                    width=4,
                    height=4,
                    red=30,
                ),
                Panel(
                    title="Readings since the start",
                    about="Each reading once, duplicates taken out. Needs the scope since_start.",
                    kind="stat",
                    queries=(Query(expr=f'sum({_JOB}messages{{scope="since_start"}})'),),
                    width=4,
                    height=4,
                ),
                Panel(
                    title="Sensors",
                    about="Distinct sensors since the start; one seen in two states counts once.",
                    kind="stat",
                    queries=(Query(expr=f'sum({_JOB}sensors{{scope="since_start"}})'),),
                    width=4,
                    height=4,
                ),
                Panel(
                    title="Offline",
                    about="Sensors of which nothing has come for the setting offline_after.",
                    kind="stat",
                    queries=(Query(expr=f'sum({_JOB}audit{{number="offline"}})'),),
                    width=4,
                    height=4,
                    red=1,
                ),
                Panel(
                    title="Missing",
                    about="Readings that were sent, did not come, and that no gap explains.",
                    kind="stat",
                    queries=(Query(expr=f'sum({_JOB}audit{{number="missing"}})'),),
                    width=4,
                    height=4,
                    red=1,
                ),
                Panel(
                    title="Alerts",
                    about="Alerts of isotherm that are firing.",
                    kind="stat",
                    queries=(
                        Query(
                            expr='count(ALERTS{alertname=~"Isotherm.+", alertstate="firing"})'
                            " or vector(0)"
                        ),
                    ),
                    width=4,
                    height=4,
                    red=1,
                ),
            ),
        ),
        (
            "Temperature",
            (
                Panel(
                    title="Warmest and coldest now",
                    about="Average of each state in the last snapshot with readings of it, highest "
                    "first.",
                    kind="bargauge",
                    queries=(
                        Query(
                            expr="sort_desc(last_over_time("
                            f'{_JOB}state_temperature_fahrenheit{{scope="window"}}[5m]))',
                            legend="{{state}}",
                        ),
                    ),
                    unit="fahrenheit",
                    height=20,
                ),
                Panel(
                    title="By state",
                    about="Average of each state's last trigger. A gap is a time without readings.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr=f'{_JOB}state_temperature_fahrenheit{{scope="window"}}',
                            legend="{{state}}",
                        ),
                    ),
                    unit="fahrenheit",
                    width=16,
                    height=20,
                ),
            ),
        ),
        (
            "Sensors",
            (
                Panel(
                    title="Sensors by state",
                    about="Distinct sensors since the start; one that moved counts in both states.",
                    kind="bargauge",
                    queries=(
                        Query(
                            expr=f'sort_desc({_JOB}state_sensors{{scope="since_start"}})',
                            legend="{{state}}",
                        ),
                    ),
                    height=12,
                ),
                Panel(
                    title="Offline by state",
                    about="Only states with offline sensors. All of a state at once is one cause: "
                    "a network, a broker, a certificate.",
                    kind="timeseries",
                    queries=(Query(expr=f"{_JOB}state_offline_sensors > 0", legend="{{state}}"),),
                    height=12,
                ),
                Panel(
                    title="Audit",
                    about="Since the start: expected = received + explained + missing.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr=f'{_JOB}audit{{number=~"missing|explained|duplicated|unsynced|'
                            'late|future"}',
                            legend="{{number}}",
                        ),
                    ),
                    height=12,
                ),
            ),
        ),
        (
            "Boards",
            (
                Panel(
                    title="Probes with a fault",
                    about="Probes whose last read gave none.",
                    kind="timeseries",
                    queries=(
                        Query(expr="isotherm_agent_probe_up == 0", legend="{{instance}} {{probe}}"),
                    ),
                ),
                Panel(
                    title="Waiting in outboxes",
                    about="Readings that the broker has not acknowledged, by board.",
                    kind="timeseries",
                    queries=(Query(expr="isotherm_agent_outbox_readings", legend="{{instance}}"),),
                ),
                Panel(
                    title="Dropped by outboxes",
                    about="Readings per second for which a full outbox had no room.",
                    kind="timeseries",
                    queries=(
                        Query(
                            expr="rate(isotherm_agent_outbox_dropped_total[$__rate_interval])",
                            legend="{{instance}}",
                        ),
                    ),
                    unit="cps",
                ),
            ),
        ),
    ),
)
