"""Asks the MQTT broker, under a client id of its own: a running bridge keeps its session."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.credentials import mqtt_context
from bridge.doctor.mqtt import DROPPED_TOPIC, VERSION_TOPIC, MqttFacts
from bridge.mqtt.filters import plain
from isotherm.settings.refusal import refusal
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.settings import BridgeSettings

_ANSWER_S: Final = 5.0
_SYSTEM_S: Final = 2.0
_TURN_S: Final = 0.1
_FAILURE: Final = 0x80
_MOST: Final = 65_535
_MOST_TEXT: Final = 1000
_SYSTEM_RETAINED: Final = 0
_NONE_RETAINED: Final = 2


def ask_mqtt(settings: BridgeSettings, filters: Iterable[str]) -> MqttFacts:
    """Connect twice to see whether a session is kept; leaves none behind.

    Args:
        settings: how to connect.
        filters: what the bridge subscribes to.

    Raises:
        SettingsError: a file of a password or a certificate cannot be used.
    """
    client = _Client(settings)
    try:
        client.connect()
        client.disconnect()
        client.connect()
        kept = client.resumed
        expiry = client.announced("SessionExpiryInterval", settings.session_expiry)
        window = int(client.announced("ReceiveMaximum", _MOST)) if client.modern else None
        client.forget()
        # From here on in a session that ends with its connection, whatever becomes of this client:
        # one that stays would queue.
        client.connect(fresh=True, keep=False)
        refused, lowered = client.not_granted(filters)
        facts = MqttFacts(
            kept=kept,
            expiry=expiry,
            window=window,
            refused=refused,
            lowered=lowered,
            system=client.retained((VERSION_TOPIC, DROPPED_TOPIC)),
        )
        client.disconnect()
    except (OSError, ValueError) as error:
        why = str(error) or type(error).__name__
    except Exception as error:  # noqa: BLE001 a packet that paho does not understand
        return MqttFacts(unreachable=f"it sends what cannot be understood ({where(error)})")
    else:
        return facts
    return MqttFacts(
        unreachable=refusal("mqtt", why) or f"{why}; see whether the broker runs, and mqtt.url"
    )


class _Client:
    """A client that is driven step by step, in the caller's thread."""

    def __init__(self, settings: BridgeSettings) -> None:
        self._settings = settings
        self._id = f"{settings.client_id}-doctor-{uuid.uuid4().hex[:8]}"
        self.modern = settings.mqtt_version == "5"
        self._password = settings.password()
        self._tls = mqtt_context(settings)
        self._connack: tuple[bool, Any, Any] | None = None
        self._answers: dict[int, list[Any]] = {}
        self._client = self._make(fresh=True)

    @property
    def resumed(self) -> bool:
        """Whether the broker had the session."""
        return self._connack is not None and self._connack[0]

    def announced(self, name: str, default: float) -> float:
        """A property of the CONNACK."""
        properties = self._connack[2] if self._connack else None
        return float(getattr(properties, name, default))

    def connect(self, *, fresh: bool = False, keep: bool = True) -> None:
        """Connect.

        Args:
            fresh: end the session that there is.
            keep: have the broker keep the session; with MQTT 3.1.1 it does unless `fresh`.

        Raises:
            OSError: it cannot be reached, or refuses.
        """
        self._client = client = self._make(fresh=fresh)
        self._connack = None
        properties = None
        if self.modern:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # its gap
            properties.SessionExpiryInterval = int(self._settings.session_expiry) * keep
            properties.ReceiveMaximum = self._settings.receive_maximum
        address = self._settings.mqtt
        clean = fresh if self.modern else paho.MQTT_CLEAN_START_FIRST_ONLY
        client.connect(address.host, address.port, clean_start=clean, properties=properties)
        reason = self._await_connack()
        if reason is None:
            hint = "does it ask for a client certificate" if self._tls else "is it a TLS port"
            raise OSError(f"it closed the connection or did not answer; {hint}?")
        if reason.is_failure:
            raise OSError(f"it refuses the connection: {reason}")

    def disconnect(self) -> None:
        """Leave; the session stays."""
        self._client.disconnect()
        self._turn(lambda: not self._client.is_connected(), _ANSWER_S)

    def forget(self) -> None:
        """Leave, and have the broker forget the session."""
        if self.modern:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call] # its gap
            properties.SessionExpiryInterval = 0
            self._client.disconnect(properties=properties)
        else:
            self.disconnect()
            self.connect(fresh=True)
            self._client.disconnect()
        self._turn(lambda: not self._client.is_connected(), _ANSWER_S)

    def not_granted(self, filters: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The filters that the broker refuses this user, and those that it grants at QoS 0 only.

        Each is subscribed for a moment, as the bridge does.
        """
        refused: list[str] = []
        lowered: list[str] = []
        for name in filters:
            # As a member of a shared subscription this client would take messages from the bridges.
            bare = plain(name)
            reasons = self._subscribe(bare, qos=1)
            self._client.unsubscribe(bare)
            refused += [f"{bare}: {reason}" for reason in reasons if reason.value >= _FAILURE]
            lowered += [bare for reason in reasons if reason.value == 0]
        return tuple(refused), tuple(lowered)

    def retained(self, topics: tuple[str, ...]) -> dict[str, str]:
        """What is retained in these topics; those without an answer are left out."""
        found: dict[str, str] = {}

        def take(_client: object, _userdata: object, message: paho.MQTTMessage) -> None:
            if message.topic in topics:
                # Whoever may write there may write anything.
                found[message.topic] = message.payload[:_MOST_TEXT].decode("utf-8", "replace")

        self._client.on_message = take
        for topic in topics:
            self._subscribe(topic)
        self._turn(lambda: len(found) == len(topics), _SYSTEM_S)
        return found

    def _make(self, *, fresh: bool) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._id,
            protocol=paho.MQTTv5 if self.modern else paho.MQTTv311,
            clean_session=None if self.modern else fresh,
            reconnect_on_failure=False,
        )
        username = self._settings.username or self._settings.mqtt.username
        if username is not None:
            client.username_pw_set(username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        return client

    def _on_connect(
        self, _client: Any, _userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        self._connack = (flags.session_present, reason, properties)

    def _on_subscribe(
        self, _client: Any, _userdata: Any, mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        self._answers[mid] = reasons

    def _await_connack(self) -> Any:
        self._turn(lambda: self._connack is not None, _ANSWER_S)
        return self._connack[1] if self._connack else None

    def _subscribe(self, name: str, *, qos: int = 0) -> list[Any]:
        """Subscribe; what comes is of no interest, and its session ends with it.

        Raises:
            OSError: no answer came, so nothing is known.
        """
        asked: Any = (name, qos)
        if self.modern:
            # No retained reading need come for this.
            never = _SYSTEM_RETAINED if name.startswith("$SYS/") else _NONE_RETAINED
            asked = (name, SubscribeOptions(qos=qos, retainHandling=never))
        _result, mid = self._client.subscribe([asked])
        self._turn(lambda: mid in self._answers, _ANSWER_S)
        if mid is None or mid not in self._answers:
            raise OSError(f"it does not answer a subscription to {name}")
        return self._answers[mid]

    def _turn(self, done: Callable[[], bool], timeout: float) -> None:
        end = time.monotonic() + timeout
        while not done() and time.monotonic() < end:
            if self._client.loop(_TURN_S) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
