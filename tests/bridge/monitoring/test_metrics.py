from __future__ import annotations

import re
from collections import Counter

from bridge.monitoring.metrics import METRICS, PREFIX, View
from bridge.monitoring.stats import Stats
from isotherm.contract.reasons import Reason
from isotherm.http.registry import Metrics, Table
from isotherm.log import Log
from isotherm.tasks import Tasks
from tests.bridge.monitoring.vitals import vitals

TASKS = Tasks(Log("test"))
SAMPLE = re.compile(r'([a-z_]+)(?:\{([a-z]+)="([^"\\]*)"\})? (\S+)')


def parsed(text: str) -> dict[str, float]:
    """The samples of Prometheus' text format by name, or by name and label."""
    found = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            key = match[1].removeprefix(PREFIX) + (f" {match[3]}" if match[2] else "")
            assert key not in found
            found[key] = float(match[4])
    return found


def exposition(view: View) -> str:
    return Metrics(Table(PREFIX, METRICS, lambda: view)).text()


def test_lanes_are_summed_and_every_reason_is_there() -> None:
    one = Stats(received=10, settled=7, delivered=5, rejected=Counter(not_json=2), oldest=90.0)
    two = Stats(received=3, settled=1, delivered=1, rejected=Counter(not_json=1), oldest=95.0)
    lanes = [vitals(stats=one), vitals(stats=two, subscribed=False)]
    found = parsed(exposition(View(lanes, kafka=True, now=100.0, tasks=TASKS)))
    assert found["messages_received_total"] == 13
    assert found["messages_in_flight"] == 5
    assert found["oldest_unacknowledged_age_seconds"] == 10
    assert found["readings_delivered_total"] == 6
    reasons = {reason: found[f"records_rejected_total {reason}"] for reason in Reason}
    assert reasons == {reason: 3 * (reason is Reason.NOT_JSON) for reason in Reason}
    assert (found["mqtt_up"], found["kafka_up"], found["ready"]) == (0, 1, 0)


def test_reading_does_not_change_the_counts() -> None:
    lane = vitals()
    exposition(View([lane], kafka=True, now=1.0, tasks=TASKS))
    assert not lane.stats.rejected


def test_nothing_in_flight_has_no_age() -> None:
    assert Stats(received=4, settled=4, oldest=1.0).age(100.0) == 0
    assert Stats(received=4, settled=3, oldest=1.0).age(100.0) == 99


def test_names_follow_prometheus_and_have_help_and_type() -> None:
    text = exposition(View([vitals()], kafka=True, now=1.0, tasks=TASKS))
    for row in METRICS:
        name = PREFIX + row.name
        assert (row.kind == "counter") == name.endswith("_total")
        assert text.count(f"# HELP {name} {row.help}\n# TYPE {name} {row.kind}\n{name}") == 1
