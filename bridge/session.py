"""The MQTT session: it persists with the broker, and reconnects until it is closed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.client import BulkClient
from bridge.errors import FencedError, MalformedPacketError
from contract.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import paho.mqtt.client as paho
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.backpressure import Backpressure
    from bridge.client import Arrivals, SessionOptions
    from contract.backoff import Backoff
    from contract.log import Log

_KEEPALIVE_S = 30
_FAILURE = 0x80
_UNSPECIFIED = 0x80
_TAKEN_OVER = 0x8E
# Section 3.2.2.2; paho gives the codes 4 and 5 of MQTT 3.1.1 as these, too.
_NOT_FOR_THIS_USER = frozenset({0x86, 0x87})
_NO_USER = "it does not take a bridge without mqtt.username and mqtt.password_file"
_UNKNOWN_USER = "it does not take mqtt.username with the password in mqtt.password_file"
_RETAINED_ONLY_IF_NEW = 1


class SessionEvents(Protocol):
    """What the session tells; called in the network thread, so it must return at once."""

    def arrived(self, arrivals: Arrivals) -> None:
        """Frames came. May be called before `subscribed`: a resumed session sends at once."""

    def subscribed(self, *, resumed: bool) -> None:
        """Connected and subscribed.

        Args:
            resumed: whether the broker still had the session of an earlier connection.
        """

    def disconnected(self, why: str, *, refused: bool = False) -> None:
        """The connection ended, or could not be made.

        Args:
            why: for people.
            refused: the broker answers, but will not have us.
        """


class Session:
    """A persistent MQTT session that reconnects by itself until it is closed.

    Args:
        options: how to connect.
        events: who hears of it.
        backoff: the delays between attempts.
        log: for refusals that a person must mend.
        backpressure: tells when to read.
    """

    def __init__(
        self,
        options: SessionOptions,
        events: SessionEvents,
        backoff: Backoff,
        log: Log,
        backpressure: Backpressure | None = None,
    ) -> None:
        self._options = options
        self._events = events
        self._backoff = backoff
        self._log = log
        self._closing = threading.Event()
        self._client = BulkClient(options, events.arrived, backpressure)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._resumed = False
        self._renewing = False
        self._answered = False
        self.failure: FencedError | None = None
        """Why the session ended by itself: another client took it over."""
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self, *, paused: bool = False) -> None:
        """Begin to connect, in a thread of the session's own.

        Args:
            paused: take no frames before `resume`; the broker keeps them from the subscription on.
        """
        self._client.paused = paused
        self._thread.start()

    def resume(self) -> None:
        """Take frames; connect anew for those that were passed over, which come again then."""
        if self._client.resume():
            self._renewing = True
            self._client.disconnect()

    @property
    def alive(self) -> bool:
        """Whether its thread runs, connected or not."""
        return self._thread.is_alive()

    def acknowledge(self, connection: int, mids: Sequence[int]) -> bool:
        """Send PUBACKs, in the order given, as one write; from any thread.

        Returns:
            False if that connection has ended: nothing was sent, and the broker will deliver those
            messages again. A packet identifier may by now mean another message, so this is never
            patched up.
        """
        return self._client.acknowledge(connection, mids)

    def pause(self) -> None:
        """Take no more frames: the broker keeps what it sends from here on."""
        self._client.paused = True

    def close(self, timeout: float) -> None:
        """Have the broker take what is queued (PUBACKs), disconnect and end the thread.

        The session stays with the broker.

        Args:
            timeout: seconds to wait for the broker's answer, and again for the thread.
        """
        self._closing.set()
        self._client.wait_for_answer(timeout)
        self._client.disconnect()
        self._thread.join(timeout)

    def _run(self) -> None:
        client = self._client
        address = self._options.address
        client.connect_async(
            address.host,
            address.port,
            keepalive=_KEEPALIVE_S,
            clean_start=False,
            properties=_connect_properties(self._options),
        )
        while not self._closing.is_set():
            self._answered = False
            try:
                client.reconnect()
                while client.loop(timeout=1.0) is MQTTErrorCode.MQTT_ERR_SUCCESS:
                    pass
            except MalformedPacketError as error:
                client.drop()
                self._log.error("mqtt stream malformed", why=str(error))
                self._events.disconnected(str(error))
            except (OSError, ValueError) as error:
                # paho raises ValueError for a socket that was closed under select().
                client.drop()
                self._say_lost(str(error) or type(error).__name__)
            if not self._closing.is_set():
                self._closing.wait(self._backoff.next())

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._answered = True
        if reason.is_failure:
            words = "it answers"
            if reason.value in _NOT_FOR_THIS_USER:
                words = _NO_USER if self._options.username is None else _UNKNOWN_USER
            self._events.disconnected(f"{words}: {reason}", refused=True)
            return
        self._resumed = flags.session_present
        client.subscribe(_subscriptions(self._options))

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [
            f"{name}: {reason}"
            for name, reason in zip(self._options.filters, reasons, strict=False)
            if reason.value >= _FAILURE
        ]
        if refused:
            self._log.error("mqtt refused the subscription", filters="; ".join(refused))
            return
        self._backoff.reset()
        self._events.subscribed(resumed=self._resumed)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._client.stop_waiting()
        if reason.value == _TAKEN_OVER:
            self.failure = FencedError(self._options.client_id)
            self._closing.set()
        if self._renewing:
            self._renewing = False
        elif not self._closing.is_set():
            words = str(self._client.read_error or reason)
            if reason.value == _UNSPECIFIED and not flags.is_disconnect_packet_from_server:
                # paho forgets what it met when it wrote.
                words = str(self._client.read_error or "the connection broke")
            self._say_lost(words if self._answered else words + self._guess())

    def _say_lost(self, words: str) -> None:
        refused = refusal("mqtt", words)
        self._events.disconnected(refused or words, refused=refused is not None)

    def _guess(self) -> str:
        """What it may mean that the broker hung up before it answered."""
        tls = self._options.tls is not None
        hint = "does it ask for a client certificate" if tls else "is it a TLS port (mqtts://)"
        return f" (it hung up before it answered; {hint}?)"


def _connect_properties(options: SessionOptions) -> Properties | None:
    if options.version != 5:  # noqa: PLR2004 the protocol's own number
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own gap
    properties.SessionExpiryInterval = options.session_expiry
    properties.ReceiveMaximum = options.receive_maximum
    properties.MaximumPacketSize = options.max_packet_size
    return properties


def _subscriptions(options: SessionOptions) -> list[tuple[str, Any]]:
    if options.version != 5:  # noqa: PLR2004 the protocol's own number
        return [(name, 1) for name in options.filters]
    # A retained reading comes once, when the subscription is new, and not at every reconnect.
    choice = SubscribeOptions(qos=1, retainHandling=_RETAINED_ONLY_IF_NEW)
    return [(name, choice) for name in options.filters]
