"""A subscriber that keeps what it gets, for tests against a real broker."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Subscriber:
    """A context in which `payloads` grows by what is published to a topic, at QoS 1.

    Its session outlives a broker's restart.
    """

    def __init__(self, url: str, topic: str) -> None:
        self.payloads: list[bytes] = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._topic = topic
        address = urlsplit(url)
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"test-{topic.replace('/', '-')}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 600
        session.ReceiveMaximum = 1000
        assert address.hostname
        assert address.port
        # mosquitto 2.0.11 does not save a session that began with a clean start.
        self._client.connect(address.hostname, address.port, clean_start=False, properties=session)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(20)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        goodbye = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
        goodbye.SessionExpiryInterval = 0
        self._client.disconnect(properties=goodbye)
        self._client.loop_stop()

    def wait(self, condition: Callable[[list[bytes]], bool], seconds: float = 60.0) -> None:
        """Wait until the payloads are as the condition wants them."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not condition(self.payloads):
                left = deadline - time.monotonic()
                assert left > 0, f"after {len(self.payloads)} payloads still not"
                self._changed.wait(left)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        with self._changed:
            self.payloads.append(bytes(message.payload))
            self._changed.notify_all()
