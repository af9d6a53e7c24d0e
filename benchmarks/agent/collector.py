"""Who gets all readings from the broker, and notes when each message came."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.errors import ProgramFailedError
from deploy.local.ports import LOOPBACK
from isotherm.mqtt.topics import ALL_READINGS

if TYPE_CHECKING:
    from types import TracebackType

_WAIT_S = 10.0


class Arrival(NamedTuple):
    """One message.

    Attributes:
        at: when it came, seconds of the monotonic clock.
        wall: the same, nanoseconds since 1970.
        payload: readings, one a line.
    """

    at: float
    wall: int
    payload: bytes


class Collector:
    """A context that subscribes to all readings at QoS 1.

    Args:
        port: the broker's.

    Raises:
        ProgramFailedError: the broker does not answer.
    """

    def __init__(self, port: int) -> None:
        self.arrivals: list[Arrival] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(ALL_READINGS, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        if not self._subscribed.wait(_WAIT_S):
            raise ProgramFailedError("the MQTT broker does not answer a subscription")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        self.arrivals.append(Arrival(time.monotonic(), time.time_ns(), bytes(message.payload)))
