"""The alerts' service: when sinks are told, and what it does not let through."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.analytics.sensor_lists import Offline
from aggregator.analytics.snapshot import to_json
from dashboard.alerts.engine import Engine
from dashboard.alerts.metrics import ALERT_METRICS
from dashboard.alerts.rules import Limits
from dashboard.alerts.service import Alerts
from dashboard.settings import PREFIX, DashboardSettings
from isotherm.contract.event_time import format_event_time
from isotherm.errors import SettingsError
from isotherm.http.registry import Metrics
from isotherm.log import Log
from isotherm.settings.table import load
from tests.dashboard.support.fleet import NS, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.alerts.alert import Alert

BEGAN = 1_800_000_000 * NS


class Noted:
    """A sink that notes what it is told."""

    name = "webhook"
    sent, failures, given_up, foreign = 7, 2, 1, 3

    def __init__(self) -> None:
        self.told: list[list[str]] = []

    def update(self, firing: Sequence[Alert], now: int) -> None:
        assert now >= BEGAN
        self.told.append([alert.key.name for alert in firing])

    def close(self) -> None:
        return


class Running:
    def __init__(self) -> None:
        self.now = BEGAN
        self.sink = Noted()
        engine = Engine(Limits(), began=BEGAN)
        self.alerts = Alerts(engine, [self.sink], log=Log("test"), clock=lambda: self.now)

    def take(self, ago: int, *, rejected: int = 0) -> None:
        one = replace(snapshot(5), offline=Offline(), rejected={"not_json": rejected})
        wire: dict[str, Any] = json.loads(to_json(one))
        wire["window"]["end"] = format_event_time(self.now - ago * NS)
        self.alerts(wire, self.now)

    def tick(self) -> None:
        self.now += NS
        self.alerts.tick()


def test_nobody_is_told_what_was_firing_while_the_last_hour_is_read_back() -> None:
    running = Running()
    running.take(3600, rejected=4)
    running.tick()
    running.take(3500)
    running.tick()
    running.take(0)
    running.tick()
    assert running.sink.told == []
    running.tick()
    running.take(0, rejected=1)
    running.tick()
    assert running.sink.told == [[], ["records-rejected"]]


def test_what_no_engine_can_read_is_said_once_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    running = Running()
    for _ in range(3):
        running.alerts({"window": {"end": 7}, "scopes": {}}, BEGAN)
    assert caplog.messages == ["alerts cannot read a snapshot"]
    running.take(0)
    running.tick()
    running.tick()
    assert running.sink.told == [[]]


def test_alerts_are_exported() -> None:
    running = Running()
    running.take(0, rejected=1)
    running.tick()
    running.tick()
    text = Metrics(running.alerts.metrics()).text()
    assert 'isotherm_dashboard_alerts_firing{alert="records-rejected"} 1.0\n' in text
    assert 'isotherm_dashboard_alerts_firing{alert="state-too-hot"} 0.0\n' in text
    assert 'isotherm_dashboard_alert_given_up_total{sink="webhook"} 1.0\n' in text
    assert text.count("# HELP") == len(ALERT_METRICS)


@pytest.mark.parametrize(
    ("flags", "words"),
    (
        ({"cold": "120"}, r"alerts\.cold = 120\.0: must be below alerts\.hot"),
        ({"hot": "warm"}, r"hot = 'warm': write a number of degrees Fahrenheit"),
        ({"state_file": "f"}, r"alerts\.state_file = 'f': .*set alerts\.webhook or"),
        ({"webhook": "ftp://h/x"}, r"write it like https://HOST/PATH"),
        ({"webhook": "https://user@h/x"}, r"without a user in it"),
        ({"mqtt": "mqtt://h", "mqtt_ca_file": "ca.pem"}, r"mqtt\.ca_file = 'ca\.pem': .*mqtts://"),
        ({"mqtt": "mqtt://h", "mqtt_password_file": "p"}, r"set mqtt\.username too"),
    ),
)
def test_settings_that_cannot_be_meant_are_refused(flags: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(DashboardSettings, PREFIX, flags={"snapshots": "s.jsonl"} | flags).check()


def test_a_sink_that_fails_keeps_nobody_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Noted):
        name = "mqtt"

        def update(self, firing: Sequence[Alert], now: int) -> None:
            assert firing is not None
            raise RecursionError(f"hunter2 {now}")

    failing, well = Failing(), Noted()
    engine = Engine(Limits(), began=BEGAN)
    alerts = Alerts(engine, [failing, well], log=Log("test"), clock=lambda: BEGAN)
    for _ in range(3):
        alerts.tick()
    assert len(well.told) == 3
    assert failing.failures == 2 + 3
    assert caplog.messages.count("a sink of alerts fails") == 1
    assert "hunter2" not in str([record.__dict__ for record in caplog.records])
