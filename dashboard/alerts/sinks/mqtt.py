"""The MQTT topics: each alert that is firing stands retained under its own.

That an alert is over is sent once, not retained, and its topic is emptied; so whoever subscribes
late sees what is firing, and nothing else. What an earlier life of the dashboard left behind is
taken back; what somebody else put there is not believed (see `retained`).
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from dashboard.alerts.alert import FIRING, RESOLVED, encode, wire
from dashboard.alerts.notified import after, due
from dashboard.alerts.sinks.base import AlertContext, AlertSinkKind
from dashboard.alerts.sinks.retained import MAX_BYTES, left_behind, over, topics
from isotherm.backoff import Backoff
from isotherm.contract.foreign_json import excerpt
from isotherm.log import Problem
from isotherm.mqtt.settings import mqtt_setting, mqtt_url
from isotherm.mqtt.topics import ALL_ALERTS, alert_topic
from isotherm.settings.table import optional
from isotherm.settings.tls import TlsFiles, check_mqtt, client_context, read_secret

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from dashboard.alerts.alert import Alert
    from dashboard.alerts.condition import Key
    from dashboard.alerts.notified import Notice, Notified
    from isotherm.settings.address import Address

_LARGEST: Final = 65_536
"""Bytes of a packet; the broker keeps larger ones to itself (MQTT 5, 3.1.2.11.4)."""
_AT_ONCE: Final = 50
"""Messages that the broker sends before the first of them is confirmed."""
_QUEUED: Final = 1000
"""Messages that wait in the client; all alerts that can be are some 300."""
_KEEPALIVE_S: Final = 30
_CONNECT_S: Final = 10.0
_CLOSE_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class MqttSettings:
    """The rows of the broker for alerts."""

    mqtt: Address | None = mqtt_setting(
        "url",
        flag="--alert-mqtt",
        parse=optional(mqtt_url),
        default=None,
        help="The MQTT broker at which alerts that are firing stand, retained, under "
        "isotherm/v1/alerts; mqtts:// for TLS.",
    )
    mqtt_username: str | None = mqtt_setting("username")
    mqtt_password_file: str | None = mqtt_setting("password_file")
    mqtt_ca_file: str | None = mqtt_setting("ca_file")
    mqtt_cert_file: str | None = mqtt_setting("cert_file")
    mqtt_key_file: str | None = mqtt_setting("key_file")

    def __post_init__(self) -> None:
        if self.mqtt is not None:
            check_mqtt(
                self.tls,
                scheme=self.mqtt.scheme,
                username=self.mqtt_username or self.mqtt.username,
                password_file=self.mqtt_password_file,
            )

    @property
    def tls(self) -> TlsFiles:
        """The files of TLS."""
        return TlsFiles("mqtt", self.mqtt_ca_file, self.mqtt_cert_file, self.mqtt_key_file)


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


class AlertTopics:
    """Keeps the topics as they should be, over whatever connection there is.

    Args:
        login: how to connect.
        context: of the dashboard.
    """

    name = "mqtt"

    def __init__(self, login: Login, context: AlertContext) -> None:
        self._login = login
        self._rules = context.rules
        self._repeat = context.repeat
        self._log = context.log
        self._notified: dict[Key, Notified] = {}
        self._lock = threading.Lock()
        self._connected = False
        self._fresh = False
        self._topics = topics(context.rules)
        self._left: dict[str, bytes] = {}
        self._foreign = Problem(
            self._log.warning, "a retained message among the alerts is not ours"
        )
        self._away = Problem(self._log.warning, "no broker for alerts", mqtt=login.address)
        self._closing = threading.Event()
        self.sent = self.failures = self.given_up = self.foreign = 0
        self._client = self._made()
        self._thread = context.tasks.start(
            "alerts-mqtt",
            self._run,
            stopping=self._closing.is_set,
            again=Backoff(1.0, 60.0),
        )

    def _made(self) -> paho.Client:
        login = self._login
        client = paho.Client(
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
        client.max_queued_messages_set(_QUEUED)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _run(self) -> None:
        """Run a client until `close`; each run has a client of its own."""
        client = self._client = self._made()
        if self._closing.is_set():
            return
        asked: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho has it
        asked.MaximumPacketSize = _LARGEST
        asked.ReceiveMaximum = _AT_ONCE
        address = self._login.address
        client.connect_async(address.host, address.port, keepalive=_KEEPALIVE_S, properties=asked)
        try:
            client.loop_forever(retry_first_connection=True)
        finally:
            with self._lock:
                self._connected = False
            # The broker must not think that it is there still.
            with suppress(Exception):
                client.disconnect()
            if (left := client.socket()) is not None:
                left.close()

    def update(self, firing: Sequence[Alert], now: int) -> None:
        """See `AlertSink`."""
        with self._lock:
            if not self._connected:
                return
            if self._fresh:
                # The broker may have lost what was retained: all of it is sent again.
                self._notified = {}
                self._fresh = False
            left, self._left = self._left, {}
        for notice in due(self._notified, firing, now, self._repeat):
            self._publish(notice)
            self._notified = after(self._notified, notice)
        for topic in left.keys() - {alert_topic(*alert.key) for alert in firing}:
            key = self._topics[topic]
            rule = self._rules[key.name]
            if alert := left_behind(key, left[topic], rule, now):
                self._client.publish(topic, over(alert, rule, now), qos=1)
            else:
                self._not_ours(topic)
            self._client.publish(topic, b"", qos=1, retain=True)

    def close(self) -> None:
        """See `AlertSink`; what is firing stays retained, since it is not over."""
        self._closing.set()
        self._client.disconnect()
        self._thread.join(_CLOSE_S)

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
        self._away.end()
        self._foreign.end()
        self._log.info("alerts connected", mqtt=self._login.address)
        client.subscribe(ALL_ALERTS, options=SubscribeOptions(qos=1, noLocal=True))

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
        if not message.retain or not message.payload:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        if topic not in self._topics:
            # Whatever it is for, it is not ours to take away.
            self._not_ours(topic)
            return
        # Of a longer one it is enough to know that it is there.
        payload = bytes(message.payload) if len(message.payload) <= MAX_BYTES else b""
        with self._lock:
            self._left[topic] = payload

    def _not_ours(self, topic: str) -> None:
        self.foreign += 1
        self._foreign.begin(
            topic=excerpt(topic),
            fix="let nobody else publish under isotherm/v1/alerts (docs/operations/page.md)",
        )

    def _on_publish(self, *_arguments: Any) -> None:
        self.sent += 1

    def _failed(self, why: str) -> None:
        self.failures += 1
        self._away.begin(why, why=why)


def make(settings: MqttSettings, context: AlertContext) -> Sequence[AlertTopics]:
    """The topics at the broker; none where they are not asked for."""
    if settings.mqtt is None:
        return ()
    login = Login(
        settings.mqtt,
        settings.mqtt_username or settings.mqtt.username,
        read_secret("mqtt.password_file", settings.mqtt_password_file),
        client_context(settings.tls) if settings.mqtt.scheme == "mqtts" else None,
    )
    return (AlertTopics(login, context),)


SINKS: Final = (AlertSinkKind("mqtt", MqttSettings, make),)
