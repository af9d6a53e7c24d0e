"""What stands retained under the topics of alerts, and is believed or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard.alerts.alert import FIRING, Alert, encode, wire
from dashboard.alerts.condition import Key
from dashboard.alerts.rules import Limits, rules
from dashboard.alerts.sinks.retained import MAX_BYTES, left_behind, over, topics
from isotherm.contract.event_time import format_event_time
from isotherm.mqtt.topics import alert_topic

NOW = 1_800_000_000 * 10**9
RULES = rules(Limits())
KEY = Key("state-too-hot", "AZ")
OURS = Alert(key=KEY, since=NOW - 5 * 10**9, value=112.0)
MESSAGE = wire(OURS, RULES[KEY.name], status=FIRING, at=NOW - 4 * 10**9)


def believed(payload: bytes) -> Alert | None:
    return left_behind(KEY, payload, RULES[KEY.name], NOW)


def test_what_an_earlier_life_wrote_is_believed() -> None:
    assert believed(encode(MESSAGE)) == OURS
    with_other_limits = MESSAGE | {"summary": "AZ has 112.0, the limit is 100", "again": True}
    assert believed(encode(with_other_limits)) == OURS


@pytest.mark.parametrize(
    "change",
    (
        {"schema": "isotherm.alert/2"},
        {"name": "state-too-cold"},
        {"state": "TX"},
        {"state": None},
        {"status": "resolved"},
        {"severity": "critical"},
        {"unit": "seconds"},
        {"since": "yesterday"},
        {"since": 5},
        {"since": None},
        {"at": []},
        {"since": format_event_time(NOW), "at": format_event_time(NOW - 1000)},
        {"at": format_event_time(NOW + 2 * 86_400 * 10**9)},
        {"value": None},
        {"value": True},
        {"value": "112"},
        {"value": 10**39},
        {"value": -1e300},
        {"value": 10**400},
        {"help": "\ud800"},
        {"summary": "x" * MAX_BYTES},
    ),
)
def test_what_no_life_of_ours_can_have_written_is_not(change: dict[str, Any]) -> None:
    payload = json.dumps(MESSAGE | change).encode()
    assert believed(payload) is None


@pytest.mark.parametrize("payload", (b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b"1" * 5_000))
def test_no_bytes_are_too_odd(payload: bytes) -> None:
    assert believed(payload) is None


def test_what_is_over_is_said_in_our_own_words() -> None:
    planted = MESSAGE | {"summary": "buy now", "help": "http://evil", "more": 1}
    found = believed(json.dumps(planted).encode())
    assert found is not None
    said = json.loads(over(found, RULES[KEY.name], NOW))
    assert said["status"] == "resolved"
    assert "buy" not in said["summary"]
    assert said.keys() == MESSAGE.keys()


def test_only_topics_of_known_rules_and_places_are_ours() -> None:
    found = topics(RULES)
    assert found[alert_topic(*KEY)] == KEY
    assert alert_topic("records-rejected", "fleet") in found
    assert not {alert_topic("x", "AZ"), alert_topic("state-too-hot", "ZZ")} & found.keys()
    assert len(found) == len(RULES) * 52
