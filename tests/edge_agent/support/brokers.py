"""A mosquitto for one test module, without the rest of the stack."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from deploy.local.process import Guard
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.local.services.mosquitto import Mosquitto


@contextmanager
def running(kind: type[Mosquitto], folder: Path) -> Iterator[Mosquitto]:
    """A broker with its data in `folder`, killed in the end."""
    guard = Guard()
    broker = kind(folder, guard, None, usual_ports=False)
    try:
        broker.prepare()
        broker.launch()
        broker.wait_ready()
        yield broker
    finally:
        broker.stop(kill=True)
        guard.close()


class Retained:
    """The newest payload of each topic under a filter, as a broker tells it."""

    def __init__(self, url: str, topics: str) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self._found: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._client.on_message = self._on_message
        self._client.connect(address.hostname, address.port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def topics(self) -> set[str]:
        """Those with something in them."""
        with self._lock:
            return {topic for topic, payload in self._found.items() if payload}

    def json(self, topic: str) -> Any:
        """What it holds; an empty object if nothing."""
        with self._lock:
            payload = self._found.get(topic)
        return json.loads(payload) if payload else {}

    def await_json(self, topic: str, key: str, value: object) -> Any:
        """Wait until it has a member of this value; the whole object."""
        await_true(lambda: self.json(topic).get(key) == value, f"{topic} to have {key}={value}")
        return self.json(topic)

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        with self._lock:
            self._found[message.topic] = bytes(message.payload)
