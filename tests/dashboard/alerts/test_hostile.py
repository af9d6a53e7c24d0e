"""The real page with a real MQTT broker on which somebody else may publish."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from dashboard.alerts.alert import FIRING, Alert, encode, wire
from dashboard.alerts.condition import Key
from dashboard.alerts.rules import Limits, rules
from dashboard.alerts.sinks.base import AlertContext
from dashboard.alerts.sinks.mqtt import AlertTopics, Login
from deploy.local.services.mosquitto import Mosquitto
from isotherm.contract.event_time import parse_event_time
from isotherm.log import Log
from isotherm.mqtt.topics import ALL_ALERTS, alert_topic
from isotherm.settings.address import Address
from isotherm.tasks import Tasks
from tests.edge_agent.support.brokers import running
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

H = 3600 * 10**9
NOW = parse_event_time("2026-11-30T14:00:00Z")
RULES = rules(Limits())
AZ = Alert(key=Key("state-too-hot", "AZ"), since=NOW - H, value=112.0)


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with running(Mosquitto, tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@contextmanager
def client(broker: Mosquitto) -> Iterator[paho.Client]:
    one = paho.Client(CallbackAPIVersion.VERSION2)
    one.connect("127.0.0.1", broker.port)
    one.loop_start()
    yield one
    one.disconnect()
    one.loop_stop()


@contextmanager
def sink(broker: Mosquitto) -> Iterator[tuple[AlertTopics, Tasks]]:
    log = Log("test")
    tasks = Tasks(log)
    login = Login(Address("mqtt", "127.0.0.1", broker.port))
    one = AlertTopics(login, AlertContext(rules=RULES, repeat=4 * H, log=log, tasks=tasks))
    yield one, tasks
    one.close()


def test_what_others_left_among_the_alerts_is_not_believed_kept_or_said_again(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    ours = encode(wire(AZ, RULES[AZ.key.name], status=FIRING, at=NOW - H))
    planted = {
        alert_topic("state-too-hot", "AZ"): ours,
        alert_topic("state-too-hot", "TX"): b"[" * 100_000,
        alert_topic("state-too-hot", "CA"): b'{"schema":"isotherm.alert/1"}',
        alert_topic("state-too-cold", "AZ"): ours,
        alert_topic("buy-now", "AZ"): ours,
        **{alert_topic("large", f"{number}"): b"x" * (1 << 20) for number in range(60)},
    }
    heard: list[tuple[str, bytes, bool]] = []
    with client(mosquitto) as other:
        for topic, payload in planted.items():
            other.publish(topic, payload, qos=1, retain=True).wait_for_publish(30)
        other.on_message = lambda _c, _d, message: heard.append(
            (message.topic, bytes(message.payload), bool(message.retain))
        )
        other.subscribe(ALL_ALERTS, qos=1)
        await_true(lambda: len(heard) == len(planted), "what was planted")
        heard.clear()
        with caplog.at_level("INFO"), sink(mosquitto) as (one, tasks):

            def emptied() -> set[str]:
                one.update([], NOW)
                return {topic for topic, payload, _ in heard if not payload}

            cleared = {
                alert_topic(*place)
                for place in (
                    ("state-too-hot", "AZ"),
                    ("state-too-hot", "CA"),
                    ("state-too-cold", "AZ"),
                )
            }
            await_true(lambda: emptied() >= cleared, "our topics to be emptied")
            said = [(topic, json.loads(payload)) for topic, payload, _ in heard if payload]
            assert [(topic, one["status"]) for topic, one in said] == [
                (alert_topic("state-too-hot", "AZ"), "resolved")
            ]
            assert emptied() <= {*cleared, alert_topic("state-too-hot", "TX")}
            assert one.foreign >= 3
            assert caplog.messages.count("a retained message among the alerts is not ours") == 1
            assert (tasks.ends, tasks.faults()) == (0, [])
        for topic in planted:
            other.publish(topic, b"", qos=1, retain=True).wait_for_publish(30)


def test_a_client_that_ends_is_begun_again_and_says_what_fires(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    usual = AlertTopics._on_connect  # noqa: SLF001 paho calls it, and its error ends paho's loop

    def fail_once(self: AlertTopics, *arguments: object) -> None:
        if not failed.is_set():
            failed.set()
            raise KeyError("an unknown reason code")
        usual(self, *arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(AlertTopics, "_on_connect", fail_once)
    with sink(mosquitto) as (one, tasks):
        await_true(lambda: tasks.ends == 1, "the end of the client")

        def told() -> bool:
            one.update([AZ], NOW)
            return one.sent > 0

        await_true(told, "the alert")
        assert tasks.faults() == []
