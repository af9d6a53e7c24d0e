"""From snapshots to what is firing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.analytics.audit import Audit
from aggregator.analytics.sensor_lists import Offline
from aggregator.analytics.snapshot import to_json
from dashboard.alerts.engine import Engine
from dashboard.alerts.rules import (
    COLD,
    FLEET,
    HOT,
    MISSING,
    OFFLINE,
    REJECTED,
    STALE,
    Limits,
)
from isotherm.contract.event_time import format_event_time
from tests.dashboard.support.fleet import NS, analytics, snapshot

if TYPE_CHECKING:
    from aggregator.analytics.snapshot import Snapshot

BEGAN = 1_800_000_000 * NS
WELL = replace(snapshot(0), rejected={}, offline=Offline(), audit_since_start=Audit(missing=23))


class Fleet:
    """An engine, a snapshot every 3 s, and what both clocks say."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.engine = Engine(limits or Limits(), began=BEGAN)
        self.seconds = 0
        self.batch = 0

    def run(self, seconds: int, one: Snapshot = WELL, *, skew: int = 0) -> list[str]:
        """Let it stand so; the transitions as text."""
        found = []
        wire: dict[str, Any] = json.loads(to_json(one))
        for _ in range(0, seconds, 3):
            self.seconds += 3
            self.batch += 1
            now = BEGAN + self.seconds * NS
            wire |= {"batch_id": self.batch}
            wire["window"]["end"] = format_event_time(now + skew * NS)
            found += [
                f"{'' if change.firing else 'no '}{'/'.join(change.key)}"
                for change in self.engine.snapshot(wire, now)
            ]
        return found

    def firing(self) -> dict[str, float]:
        return {"/".join(alert.key): alert.value for alert in self.engine.firing()}


def with_temperature(state: str, degrees: float) -> Snapshot:
    scope = analytics((state,), 0.0, messages=5)
    scope = replace(scope, average_temperature_by_state=((state, degrees),))
    return replace(WELL, scopes={**WELL.scopes, "window": scope})


@pytest.mark.parametrize(
    ("name", "bad", "between", "well"), ((HOT, 112.0, 108.0, 106.0), (COLD, -25.0, -18.0, -16.0))
)
def test_a_state_that_is_too_hot_or_too_cold(
    name: str, bad: float, between: float, well: float
) -> None:
    fleet = Fleet()
    assert fleet.run(600, with_temperature("AZ", bad)) == []
    assert fleet.run(9, with_temperature("AZ", bad)) == [f"{name}/AZ"]
    assert fleet.run(1800, with_temperature("AZ", between)) == []
    assert fleet.firing() == {f"{name}/AZ": between}
    assert fleet.run(400, with_temperature("AZ", well)) == [f"no {name}/AZ"]
    assert fleet.firing() == {}


def test_each_state_stands_for_itself_and_one_that_falls_silent_stays_as_it_was() -> None:
    fleet = Fleet()
    fleet.run(660, with_temperature("AZ", 120.0))
    fleet.run(660, with_temperature("TX", 121.0))
    assert fleet.firing() == {f"{HOT}/AZ": 120.0, f"{HOT}/TX": 121.0}


def test_a_usual_fleet_wakes_nobody() -> None:
    assert Fleet().run(1800) == []


def test_a_tenth_of_a_states_sensors_offline() -> None:
    fleet = Fleet()
    sensors = dict(WELL.scopes["since_start"].sensors_by_state)
    few = replace(WELL, offline=Offline(total=2, by_state=(("WY", sensors["WY"] // 10),)))
    many = replace(WELL, offline=Offline(total=9, by_state=(("WY", sensors["WY"] // 10 + 1),)))
    assert fleet.run(900, few) == []
    assert fleet.run(330, many) == [f"{OFFLINE}/WY"]
    assert fleet.run(900, few) == [], "a twentieth ends it, and not the tenth"
    assert fleet.run(90) == [f"no {OFFLINE}/WY"]


def test_readings_that_stay_missing_and_those_that_come_late() -> None:
    fleet = Fleet()
    holes = replace(WELL, audit_since_start=Audit(missing=28))
    fleet.run(60)
    assert fleet.run(300, holes) == []
    assert fleet.run(600) == [], "they came late"
    assert fleet.run(610, holes) == [f"{MISSING}/{FLEET}"]
    assert fleet.firing() == {f"{MISSING}/{FLEET}": 5}
    assert fleet.run(600, holes) == [f"no {MISSING}/{FLEET}"], "no more are missing"


def test_rejected_records_fire_at_once_and_are_over_in_a_quarter_of_an_hour() -> None:
    fleet = Fleet()
    assert fleet.run(3, replace(WELL, rejected={"not_json": 2})) == [f"{REJECTED}/{FLEET}"]
    assert fleet.run(899) == []
    assert fleet.run(9) == [f"no {REJECTED}/{FLEET}"]


def test_a_snapshot_that_does_not_come() -> None:
    fleet = Fleet()
    fleet.run(60)
    last = BEGAN + fleet.seconds * NS
    changes = [
        (second, change.key.name)
        for second in range(120)
        for change in fleet.engine.tick(last + second * NS)
    ]
    assert changes == [(41, STALE)], "older than 10 s for 30 s"
    fleet.seconds += 120
    assert fleet.run(66) == [f"no {STALE}/{FLEET}"]


def test_a_first_snapshot_that_never_comes() -> None:
    engine = Engine(Limits(), began=BEGAN)
    assert [c.key.name for s in range(60) for c in engine.tick(BEGAN + s * NS)] == [STALE]


def test_a_job_whose_clock_is_wrong_is_not_stale() -> None:
    fleet = Fleet()
    assert fleet.run(900, skew=-7200) == []
    assert fleet.run(900, skew=7200) == []


def test_reading_an_hour_back_comes_to_what_was_known() -> None:
    fleet = Fleet()
    shown = []
    for one, seconds in ((WELL, 600), (with_temperature("AZ", 120.0), 1200)):
        fleet.run(seconds, one)
        shown.append((one, seconds))
    again = Fleet()
    again.engine = Engine(Limits(), known=fleet.engine.firing(), began=BEGAN)
    for one, seconds in shown:
        again.run(seconds, one)
    assert again.engine.firing() == fleet.engine.firing()
    assert fleet.firing() == {f"{HOT}/AZ": 120.0}


def test_one_snapshot_from_the_future_stops_no_hold_time() -> None:
    fleet = Fleet()
    # A century ahead; what comes after it is right.
    fleet.run(3, WELL, skew=100 * 365 * 86_400)
    assert fleet.run(300 + 609, with_temperature("AZ", 112.0)) == [f"{HOT}/AZ"]
