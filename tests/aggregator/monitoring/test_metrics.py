from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from aggregator.analytics.audit import Audit
from aggregator.analytics.sensor_lists import Offline
from aggregator.kafka.availability import Attendance, Presence
from aggregator.monitoring.counters import Observed
from aggregator.monitoring.metrics import METRICS, PREFIX
from aggregator.monitoring.view import View, missing
from isotherm.contract.reasons import Reason
from isotherm.http.registry import Metrics, Table
from isotherm.log import Log
from tests.aggregator.support.golden import EVENT_WINDOW, snapshot

if TYPE_CHECKING:
    from pathlib import Path

LABEL = re.compile(r'[a-z_]+="([^"\\]*)"')
SAMPLE = re.compile(rf"([a-z_]+)(\{{{LABEL.pattern}(?:,{LABEL.pattern})*\}})? (\S+)")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(view: View) -> dict[str, float]:
    found = {}
    for line in Metrics(Table(PREFIX, METRICS, lambda: view)).text().splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            words = [match[1].removeprefix(PREFIX), *LABEL.findall(match[2] or "")]
            found[" ".join(words)] = float(match[5])
    return found


def test_a_job_that_has_not_begun_shows_nothing_and_is_not_ready() -> None:
    view = View(observed=Observed(Clock()), trigger=3.0)
    found = shown(view)
    assert math.isnan(found["lag_offsets"])
    assert (found["ready"], found["kafka_up"], found["messages window"]) == (0, 0, 0)
    assert missing(view) == ["there is no snapshot yet"]
    assert all(found[f"records_rejected_total {reason}"] == 0 for reason in Reason)


def test_snapshots_are_counted(tmp_path: Path) -> None:
    clock = Clock()
    observed = Observed(clock)
    ledger = tmp_path / "l.duckdb"
    ledger.write_bytes(b"x" * 70)
    ledger.with_name("l.duckdb.wal").write_bytes(b"x" * 7)
    for _ in range(2):
        observed.emit(snapshot(since_start=True))
    observed.emit(snapshot(idle=True, since_start=True, event=EVENT_WINDOW))
    clock.now += 2
    view = View(observed=observed, trigger=3.0, ledger=ledger)
    found = shown(view)
    assert (found["triggers_total data"], found["triggers_total idle"]) == (2, 1)
    assert found["records_rejected_total not_json"] == 4
    assert (found["messages window"], found["messages since_start"]) == (0, 20000)
    assert (found["messages event"], found["sensors event"]) == (15000, 55)
    left_out = {why: found[f"event_left_out_total {why}"] for why in ("too_late", "ahead")}
    assert left_out == {"too_late": 1234, "ahead": 1}
    assert (found["snapshot_age_seconds"], found["ledger_bytes"]) == (2, 77)
    assert math.isclose(found["compute_seconds_total"], 1.824)
    assert missing(view) == []
    assert {f"audit {field.name}" for field in fields(Audit)} <= found.keys()


def test_states_are_shown_by_scope_and_a_silent_one_is_absent() -> None:
    observed = Observed(Clock())
    view = View(observed=observed, trigger=3.0)
    assert not any(name.startswith("state_") for name in shown(view))
    observed.emit(snapshot(since_start=True))
    found = shown(view)
    assert found["state_temperature_fahrenheit window FL"] == 70.70635838150288
    assert found["state_temperature_fahrenheit since_start FL"] == 71.5
    assert "state_temperature_fahrenheit window CA" not in found
    assert (found["state_sensors window AK"], found["state_sensors since_start AK"]) == (53, 54)
    assert found["state_offline_sensors AK"] == 1
    assert found["trigger_interval_seconds"] == 3
    observed.emit(snapshot())
    assert "state_offline_sensors AK" not in shown(view)


def test_a_state_whose_sensors_all_report_has_none_offline() -> None:
    observed = Observed(Clock())
    observed.emit(replace(snapshot(since_start=True), offline=Offline()))
    assert shown(View(observed=observed, trigger=3.0))["state_offline_sensors AK"] == 0


def test_what_is_missing_is_said() -> None:
    clock = Clock()
    observed = Observed(clock)
    observed.emit(snapshot())
    attendance = Attendance(
        lambda: Presence.NO_BROKER, brokers="k:9092", topic="t", log=Log("test")
    )
    attendance.here()
    clock.now += 31
    view = View(observed=observed, trigger=3.0, attendance=attendance)
    assert missing(view) == ["Kafka: broker is missing", "the last snapshot is 31 s old"]
    slow = View(observed=observed, trigger=60.0)
    assert missing(slow) == []


def test_names_follow_prometheus_and_have_help_and_type() -> None:
    view = View(observed=Observed(), trigger=3.0)
    text = Metrics(Table(PREFIX, METRICS, lambda: view)).text()
    for row in METRICS:
        name = PREFIX + row.name
        assert (row.kind == "counter") == name.endswith("_total")
        assert text.count(f"# HELP {name} {row.help}\n# TYPE {name} {row.kind}\n") == 1
