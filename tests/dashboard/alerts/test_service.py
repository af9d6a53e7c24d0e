"""The real `isotherm-dashboard` with a real MQTT broker and a real receiver of its alerts."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from aggregator.analytics.sensor_lists import Offline
from isotherm.mqtt.topics import ALL_ALERTS, alert_topic
from tests.dashboard.alerts.test_webhook import receiver
from tests.dashboard.support.fleet import append, snapshot
from tests.dashboard.support.server import Dashboard, dashboard
from tests.support import await_true, mqtt_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paho.mqtt.client import MQTTMessage

    from aggregator.analytics.snapshot import Snapshot
    from deploy.local import Stack

pytestmark = [pytest.mark.integration, pytest.mark.lowest]

REJECTED = alert_topic("records-rejected", "fleet")
LEFT_BEHIND = alert_topic("state-too-hot", "AZ")


def ill() -> Snapshot:
    """One with rejected records, which is an alert at once."""
    return replace(snapshot(1, ago=1000), offline=Offline())


def well(batch: int, **keywords: Any) -> Snapshot:
    return replace(snapshot(batch, **keywords), rejected={}, offline=Offline())


def firing(place: Dashboard) -> list[str]:
    with urlopen(f"{place.url}api/alerts", timeout=20) as answer:  # noqa: S310 our own
        return [alert["name"] for alert in json.load(answer)["alerts"]]


def shown(place: Dashboard) -> int:
    with urlopen(f"{place.url}api/snapshot", timeout=20) as answer:  # noqa: S310 our own
        number: int = json.load(answer)["snapshot"]["batch_id"]
        return number


@contextmanager
def listener(stack: Stack) -> Iterator[list[tuple[str, bytes, bool]]]:
    """(topic, payload, retained) of all that comes from now on."""
    heard: list[tuple[str, bytes, bool]] = []

    def note(_client: object, _data: object, message: MQTTMessage) -> None:
        heard.append((message.topic, bytes(message.payload), message.retain))

    with mqtt_client(stack) as client:
        client.on_message = note
        client.subscribe(ALL_ALERTS, qos=1)
        yield heard


def test_an_alert_reaches_webhook_and_topic_outlives_a_restart_and_ends(
    stack: Stack, tmp_path: Path
) -> None:
    file, state = tmp_path / "s.jsonl", tmp_path / "told.json"
    append(file, ill())
    with mqtt_client(stack) as client:
        client.publish(LEFT_BEHIND, b"{}", qos=1, retain=True).wait_for_publish(20)
    with receiver() as there, listener(stack) as heard:
        flags = ("--alert-webhook", there.url, "--alert-state", str(state))
        with dashboard(file, *flags, "--alert-mqtt", stack.mqtt, "--stale-after", "1h") as page:
            await_true(lambda: "records-rejected firing" in named(there.asked), "the webhook")
            await_true(state.exists, "its file")
            assert firing(page) == ["records-rejected"]
            await_true(lambda: (LEFT_BEHIND, b"", False) in heard, "the left-over to be taken back")
            with listener(stack) as late:
                await_true(lambda: len(late) == 1, "what is retained")
                topic, payload, retained = late[0]
                assert (topic, retained) == (REJECTED, True)
                assert json.loads(payload)["status"] == "firing"
            page.stop()
            page.start()
            await_true(lambda: firing(page) == ["records-rejected"], "what was known")
            append(file, well(2))
            await_true(lambda: "records-rejected resolved" in named(there.asked), "the end")
            await_true(lambda: (REJECTED, b"", False) in heard, "the topic to be emptied")
        ended = [
            json.loads(said)["status"] for topic, said, _ in heard if said and topic == REJECTED
        ]
        assert ended[-1] == "resolved"
        with listener(stack) as late, mqtt_client(stack) as client:
            # What comes after the retained ones says that there were none.
            client.publish(LEFT_BEHIND, b"mark", qos=1).wait_for_publish(20)
            await_true(lambda: bool(late), "the mark")
            assert late == [(LEFT_BEHIND, b"mark", False)]
        assert named(there.asked) == ["records-rejected firing", "records-rejected resolved"]


def named(asked: list[tuple[dict[str, str], dict[str, Any]]]) -> list[str]:
    return [f"{body['name']} {body['status']}" for _, body in asked]


def test_sinks_that_hang_and_are_away_never_delay_the_page(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, ill())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # It takes connections and never says a word.
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        flags = ("--alert-webhook", f"http://{place}/", "--alert-mqtt", f"mqtt://{place}")
        with dashboard(file, *flags, "--stale-after", "1h") as page:
            await_true(lambda: firing(page) == ["records-rejected"], "the alert")
            append(file, well(2, ago=500))
            await_true(lambda: shown(page) == 2, "the next snapshot")
            page.stop()
