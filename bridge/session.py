"""The MQTT session: paho connects and keeps alive; frames and PUBACKs go in bulk beside it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.errors import MalformedPacketError
from bridge.frames import Frame, Framer, pubacks

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from contract.address import Address
    from contract.backoff import Backoff
    from contract.log import Log

_READ_BYTES = 256 * 1024
_KEEPALIVE_S = 30
_PUBACK = 0x40
_PINGREQ = 0xC0
_PINGRESP = b"\xd0\x00"
_FAILURE = 0x80
_RETAINED_ONLY_IF_NEW = 1


class Arrivals(NamedTuple):
    """Frames of one read, in arrival order.

    Attributes:
        connection: counts the connections of this process from 1; an acknowledgement is for this
            one only.
        frames: never empty.
    """

    connection: int
    frames: list[Frame]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How to connect.

    Attributes:
        address: of the MQTT broker; scheme ``mqtt`` or ``mqtts``.
        client_id: names the session; keep it over restarts, or the broker keeps messages for a
            session that nobody resumes.
        filters: topic filters to subscribe to at QoS 1.
        version: 5 or 3 (3.1.1).
        receive_maximum: how many unacknowledged messages the broker may send (MQTT 5.0 only).
        session_expiry: how long the broker keeps the session while we are away, seconds.
        username, password: None where the broker asks for none.
        tls: the context for ``mqtts``.
    """

    address: Address
    client_id: str
    filters: tuple[str, ...]
    version: int = 5
    receive_maximum: int = 1000
    session_expiry: int = 7 * 86400
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class SessionEvents(Protocol):
    """What the session tells; called in the network thread, so it must return at once."""

    def arrived(self, arrivals: Arrivals) -> None:
        """Frames came. May be called before `subscribed`: a resumed session sends at once."""

    def subscribed(self, *, resumed: bool) -> None:
        """Connected and subscribed.

        Args:
            resumed: whether the broker still had the session of an earlier connection.
        """

    def disconnected(self, why: str) -> None:
        """The connection ended, or could not be made."""


class Session:
    """A persistent MQTT session that reconnects by itself until it is closed.

    Args:
        options: how to connect.
        events: who hears of it.
        backoff: the delays between attempts.
        log: for refusals that a person must mend.
    """

    def __init__(
        self, options: SessionOptions, events: SessionEvents, backoff: Backoff, log: Log
    ) -> None:
        self._options = options
        self._events = events
        self._backoff = backoff
        self._log = log
        self._closing = threading.Event()
        self._client = _BulkClient(options, events.arrived)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._resumed = False
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Begin to connect, in a thread of the session's own."""
        self._thread.start()

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
                self._events.disconnected(str(error) or type(error).__name__)
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
        if reason.is_failure:
            self._log.error("mqtt refused the connection", reason=str(reason))
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
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not self._closing.is_set():
            self._events.disconnected(str(reason))


class _BulkClient(paho.Client):
    """A paho client that reads much at once.

    It takes PUBLISH frames out of the stream and gives paho the rest: `loop_read` is paho's public
    hook for external loops, and `_sock_recv` (the one place where paho reads) serves it what is
    left. tests/bridge/test_session.py fails if a new paho goes about this differently.
    """

    def __init__(self, options: SessionOptions, arrived: Callable[[Arrivals], None]) -> None:
        modern = options.version == 5  # noqa: PLR2004 the protocol's own number
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=paho.MQTTv5 if modern else paho.MQTTv311,
            # With MQTT 5.0, clean start is said at connect instead.
            clean_session=None if modern else False,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if options.username is not None:
            self.username_pw_set(options.username, options.password)
        if options.tls is not None:
            self.tls_set_context(options.tls)
        # With a write callback in place paho leaves all writing to the network thread.
        self.on_socket_register_write = _leave_to_the_loop
        self.paused = False
        self._arrived = arrived
        self._modern = modern
        self._connection = 0
        self._number = threading.Lock()
        self._framer = Framer(properties=modern)
        self._for_paho = b""
        self._answered = threading.Event()

    def reconnect(self) -> MQTTErrorCode:
        # Numbered before paho clears what the last connection had queued: an acknowledgement either
        # comes before and is cleared with it, or comes after and is found stale.
        with self._number:
            self._connection += 1
        self._framer = Framer(properties=self._modern)
        self._for_paho = b""
        return super().reconnect()

    def drop(self) -> None:
        """Close the socket without a word."""
        with self._number:
            self._connection += 1
        self._sock_close()

    def acknowledge(self, connection: int, mids: Sequence[int]) -> bool:
        with self._number:
            if connection != self._connection:
                return False
            if mids:
                self._packet_queue(_PUBACK, pubacks(list(mids)), 0, 0)
            return True

    def wait_for_answer(self, timeout: float) -> None:
        """Wait for a PINGRESP: by then the broker has taken all that was sent before.

        Closing a socket while frames lie unread in it resets the connection, and the broker's
        kernel would throw away PUBACKs that it has not read yet.
        """
        self._answered.clear()
        if self.is_connected():
            self._packet_queue(_PINGREQ, b"\xc0\x00", 0, 0)
            self._answered.wait(timeout)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        try:
            data = super()._sock_recv(_READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            # paho reads again, meets the same error and closes the connection in its own way.
            return super().loop_read(max_packets)
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        with self._msgtime_mutex:
            self._last_bytes_received = paho.time_func()
        connection = self._connection
        frames, self._for_paho = self._framer.feed(data)
        if _PINGRESP in self._for_paho:
            self._answered.set()
        while self._for_paho:
            result = super().loop_read(max_packets)
            if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
                self._for_paho = b""
                return result
        if frames and not self.paused:
            self._arrived(Arrivals(connection, frames))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._for_paho:
            return super()._sock_recv(bufsize)
        data, self._for_paho = self._for_paho[:bufsize], self._for_paho[bufsize:]
        return data


def _leave_to_the_loop(_client: paho.Client, _userdata: object, _socket: Any) -> None:
    """Paho's loop looks for queued packets itself."""


def _connect_properties(options: SessionOptions) -> Properties | None:
    if options.version != 5:  # noqa: PLR2004 the protocol's own number
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own gap
    properties.SessionExpiryInterval = options.session_expiry
    properties.ReceiveMaximum = options.receive_maximum
    return properties


def _subscriptions(options: SessionOptions) -> list[tuple[str, Any]]:
    if options.version != 5:  # noqa: PLR2004 the protocol's own number
        return [(name, 1) for name in options.filters]
    # A retained reading comes once, when the subscription is new, and not at every reconnect.
    choice = SubscribeOptions(qos=1, retainHandling=_RETAINED_ONLY_IF_NEW)
    return [(name, choice) for name in options.filters]
