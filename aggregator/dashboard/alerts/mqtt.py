"""The MQTT topics: each alert that is firing stands retained under its own.

What is over is said once, not retained, and its topic is emptied; so whoever subscribes late sees
what is firing, and nothing else. What an earlier life of the dashboard left behind is taken back.
"""

from __future__ import annotations

import json
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from aggregator.dashboard.alerts.alert import FIRING, RESOLVED, SCHEMA, encode, wire
from aggregator.dashboard.alerts.told import after, due
from contract.moment import format_event_time
from contract.topics import ALL_ALERTS, alert_topic

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from aggregator.dashboard.alerts.alert import Alert
    from aggregator.dashboard.alerts.condition import Key
    from aggregator.dashboard.alerts.rules import Rule
    from aggregator.dashboard.alerts.told import Notice, Told
    from contract.address import Address
    from contract.log import Log

_KEEPALIVE_S: Final = 30
_CONNECT_S: Final = 10.0
_CLOSE_S: Final = 1.0


class Login(NamedTuple):
    """How to connect.

    Attributes:
        address: of the broker.
        username: None without one.
        password: None without one.
        tls: the context for ``mqtts``.
    """

    address: Address
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


def over(left: bytes, now: int) -> bytes | None:
    """The end of an alert that an earlier life left behind; None where that is no alert of ours.

    Args:
        left: what is retained.
        now: nanoseconds since 1970.
    """
    try:
        message = json.loads(left)
        if message["schema"] != SCHEMA:
            return None
        return encode(message | {"status": RESOLVED, "at": format_event_time(now), "again": False})
    except (ValueError, KeyError, TypeError):
        return None


class AlertTopics:
    """Keeps the topics as they should be, over whatever connection there is.

    Args:
        login: how to connect.
        rules: by name.
        repeat: nanoseconds after which what is still firing is published again.
        log: one line when the broker is gone, and when it is back.
    """

    name = "mqtt"

    def __init__(self, login: Login, rules: Mapping[str, Rule], *, repeat: int, log: Log) -> None:
        self._login = login
        self._rules = rules
        self._repeat = repeat
        self._log = log
        self._told: dict[Key, Told] = {}
        self._lock = threading.Lock()
        self._connected = False
        self._fresh = False
        self._left: dict[str, bytes] = {}
        self._why = ""
        self.sent = self.failures = self.given_up = 0
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"isotherm-dashboard-{secrets.token_hex(4)}",
            protocol=paho.MQTTv5,
        )
        if login.username is not None:
            client.username_pw_set(login.username, login.password)
        if login.tls is not None:
            client.tls_set_context(login.tls)
        client.connect_timeout = _CONNECT_S
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.connect_async(login.address.host, login.address.port, keepalive=_KEEPALIVE_S)
        client.loop_start()

    def update(self, firing: Sequence[Alert], now: int) -> None:
        """See `AlertSink`."""
        with self._lock:
            if not self._connected:
                return
            if self._fresh:
                # The broker may have lost what was retained: all of it is said anew.
                self._told = {}
                self._fresh = False
            left, self._left = self._left, {}
        for notice in due(self._told, firing, now, self._repeat):
            self._publish(notice)
            self._told = after(self._told, notice)
        for topic in left.keys() - {alert_topic(*alert.key) for alert in firing}:
            if ended := over(left[topic], now):
                self._client.publish(topic, ended, qos=1)
            self._client.publish(topic, b"", qos=1, retain=True)

    def close(self) -> None:
        """See `AlertSink`; what is firing stays retained, since it is not over."""
        self._client.disconnect()
        stopper = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopper.start()
        stopper.join(_CLOSE_S)

    def _publish(self, notice: Notice) -> None:
        key = notice.alert.key
        topic = alert_topic(*key)
        status = FIRING if notice.firing else RESOLVED
        rule = self._rules[key.name]
        message = wire(notice.alert, rule, status=status, at=notice.at, again=notice.again)
        self._client.publish(topic, encode(message), qos=1, retain=notice.firing)
        if not notice.firing:
            self._client.publish(topic, b"", qos=1, retain=True)

    # What paho's thread calls:

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._failed(f"the broker refuses: {code}")
            return
        with self._lock:
            self._connected = self._fresh = True
            self._left = {}
        self._why = ""
        self._log.info("alerts connected", mqtt=self._login.address)
        client.subscribe(ALL_ALERTS, qos=1)

    def _on_connect_fail(self, _client: paho.Client, _data: Any) -> None:
        self._failed("it cannot be reached")

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        with self._lock:
            was, self._connected = self._connected, False
        if was and code.is_failure:
            self._failed(f"the connection is lost: {code}")

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.retain and message.payload:
            with self._lock:
                self._left[message.topic] = bytes(message.payload)

    def _on_publish(self, *_arguments: Any) -> None:
        self.sent += 1

    def _failed(self, why: str) -> None:
        self.failures += 1
        if why != self._why:
            self._why = why
            self._log.warning("no broker for alerts", mqtt=self._login.address, why=why)
