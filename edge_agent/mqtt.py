"""The connection to the broker over paho-mqtt.

paho keeps what happens seldom: TCP, TLS, CONNECT, keepalive, DISCONNECT. What happens per message
goes past it (`edge_agent.frames`, `edge_agent.stream`).
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final, cast

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from contract.refusal import refusal
from edge_agent.greeting import Greeting
from edge_agent.link import Acks, Down, Event
from edge_agent.stream import MAX_PACKET, Stream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage

    from contract.address import Address

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for TCP, again for TLS, and again for the broker's answers to our first packets."""
KEEPALIVE: Final = 30
SILENCE: Final = 1.5
"""Keepalives without a byte after which the broker counts as gone; paho asks it after one."""
SESSION_EXPIRY: Final = 3600
"""Seconds for which the broker keeps the session of a client that is away."""
READ_BYTES: Final = 65_536
MISC_INTERVAL: Final = 0.5
"""Seconds between two looks at keepalive and timeouts."""

_BLAMED: Final = frozenset({0x81, 0x82, 0x90, 0x95, 0x99})
"""DISCONNECT: malformed packet, protocol error, topic name, packet too large, payload format."""
_REFUSED: Final = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK: protocol version, client id, password, not authorized, banned, authentication method."""


class MqttLink:
    """One connection at a time to one broker; see `edge_agent.link.Link`.

    Connecting happens in a thread of its own, since a name server or a TLS handshake may keep it
    waiting for longer than a probe or a person will; all else happens in the caller's thread.

    Args:
        address: of the broker.
        client_id: names the session at the broker; two clients with one name throw each other out.
        username: None for a broker that asks for none.
        password: None where there is none.
        tls: the context for ``mqtts``; None without TLS.
        keepalive: seconds; see `SILENCE`.
        status_topic: of our own retained status, which is read back at each connect and is where
            the will goes; None does neither.
    """

    def __init__(
        self,
        address: Address,
        *,
        client_id: str,
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        keepalive: int = KEEPALIVE,
        status_topic: str | None = None,
    ) -> None:
        self._paho = paho = Stream(client_id, username=username, password=password, tls=tls)
        self._keepalive = keepalive
        self._secure = tls is not None
        self._status_topic = status_topic
        self.will: Callable[[], bytes] | None = None
        """Says, at each connect, what the broker shall publish should we vanish."""
        paho.connect_timeout = CONNECT_TIMEOUT
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_EXPIRY
        session.MaximumPacketSize = MAX_PACKET
        # paho asks for a clean start until the first CONNACK, and for the session from then on.
        paho.connect_async(address.host, address.port, keepalive, properties=session)
        paho.on_connect = self._on_connect
        paho.on_disconnect = self._on_disconnect
        paho.on_subscribe = self._on_subscribe
        paho.on_unsubscribe = self._on_unsubscribe
        paho.on_message = self._on_message
        self._events: list[Event] = []
        self._opener: threading.Thread | None = None
        self._failure: Exception | None = None
        self._woken, self._waker = socket.socketpair()
        self._unsent = memoryview(b"")
        self._greeting = Greeting(status_topic)
        self._up = False
        self._ended = True
        self._over = False
        self._moved = self._heard = 0.0
        self._next_misc = 0.0

    def open(self) -> None:
        """Begin to connect; ends in an `Up` or a `Down`."""
        self._failure = None
        self._unsent = memoryview(b"")
        self._greeting = Greeting(self._status_topic)
        self._up = self._ended = False
        self._paho.forget()
        if self._status_topic is not None and self.will is not None:
            self._paho.will_set(self._status_topic, self.will(), qos=1, retain=True)
        self._opener = threading.Thread(target=self._connect, name="mqtt-connect", daemon=True)
        self._opener.start()

    def exchange(self, frames: bytes) -> Sequence[Event]:
        """Send `frames`, or keep what the socket does not take yet, and say what happened."""
        if self._opener is not None:
            if self._opener.is_alive():
                return ()
            self._opener.join()
            self._opener = None
            self._woken.recv(READ_BYTES)
            self._moved = self._heard = time.monotonic()
            if self._failure is not None:
                self._end(_failed(self._failure, secure=self._secure))
        if frames:
            self._send(frames)
        self._write()
        self._read()
        self._look_after()
        events, self._events = self._events, []
        return events

    def close(self, *, vanish: bool = False) -> None:
        """Say goodbye, so that the broker forgets the session at once.

        Args:
            vanish: have it publish the will; else it forgets that too.
        """
        self._over = True
        if self._up and not self._unsent:
            self._ended = True
            goodbye = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            goodbye.SessionExpiryInterval = 0
            # OASIS MQTT 5.0, section 3.14.2.1.
            words = "Disconnect with will message" if vanish else "Normal disconnection"
            self._paho.disconnect(ReasonCode(PacketTypes.DISCONNECT, words), goodbye)
        else:
            self._hang_up()
        self._woken.close()
        self._waker.close()

    def wait(self, timeout: float, *more: int) -> None:
        """Sleep until the connection has news, one of `more` can be read, or `timeout` seconds."""
        reading = [self._woken.fileno(), *more]
        writing = []
        sock = self._socket()
        if sock is not None:
            reading.append(sock.fileno())
            if self._unsent or self._paho.want_write():
                writing.append(sock.fileno())
        select.select(reading, writing, [], max(0.0, timeout))

    def _connect(self) -> None:
        try:
            self._paho.reconnect()
        except Exception as error:  # noqa: BLE001 whatever it is, the publisher shall hear of it
            self._failure = error
        if self._over:
            self._paho.cut()
        # Nobody may be waiting any more.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _socket(self) -> socket.socket | None:
        return None if self._opener is not None else cast("Any", self._paho.socket())

    def _send(self, frames: bytes) -> None:
        self._unsent = memoryview(bytes(self._unsent) + frames if self._unsent else frames)

    def _write(self) -> None:
        if self._socket() is None:
            return
        # Packets must not be mixed: paho's go first, and it gets the word between ours only.
        if self._paho.want_write():
            self._paho.loop_write()
        try:
            while self._unsent and not self._paho.want_write():
                sent = self._paho.push(self._unsent)
                self._unsent = self._unsent[sent:]
                self._moved = time.monotonic()
        except BlockingIOError:
            pass
        except OSError:
            # What the broker said last may still be there to read; the reading finds the end.
            self._unsent = memoryview(b"")

    def _read(self) -> None:
        try:
            while self._socket() is not None:
                found, more = self._paho.pull()
                if found:
                    self._events.append(Acks(found))
                if not more:
                    return
                self._heard = time.monotonic()
        except Exception as error:  # noqa: BLE001 nothing that a broker sends may end the agent
            self._hang_up(Down(f"what the broker sent is no MQTT: {error}"))

    def _look_after(self) -> None:
        now = time.monotonic()
        if self._socket() is None or now < self._next_misc:
            return
        self._next_misc = now + MISC_INTERVAL
        silent = now - self._heard
        if not self._up and silent > CONNECT_TIMEOUT:
            self._hang_up(Down(f"no answer to our first words in {CONNECT_TIMEOUT:.0f} s"))
        elif silent > SILENCE * self._keepalive:
            self._hang_up(Down(f"the broker has been silent for {silent:.0f} s"))
        elif not self._unsent:
            self._paho.loop_misc()
        elif now - self._moved > self._keepalive:
            self._hang_up(Down(f"the broker has read nothing for {self._keepalive} s"))

    def _hang_up(self, down: Down | None = None) -> None:
        if self._socket() is not None:
            self._end(down)
            self._paho.cut()

    def _end(self, down: Down | None) -> None:
        # A connection ends once, by whatever is found first.
        if not self._ended and down is not None:
            self._events.append(down)
        self._ended = True
        self._up = False

    def _on_connect(
        self,
        _client: Client,
        _userdata: Any,
        flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            said = f"it refuses us: {code} (0x{code.value:02x})"
            self._end(Down(said, refused=code.value in _REFUSED))
            return
        self._send(self._greeting.connack(session=flags.session_present, properties=properties))
        self._greet()

    def _on_subscribe(
        self, _client: Client, _userdata: Any, _mid: int, codes: Sequence[ReasonCode], *_: Any
    ) -> None:
        self._send(self._greeting.suback(codes))

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._greeting.message(message)

    def _on_unsubscribe(self, *_: Any) -> None:
        self._greeting.unsuback()
        self._greet()

    def _greet(self) -> None:
        if self._greeting.done and not self._up:
            self._up = True
            self._events.append(self._greeting.up())

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        error = self._paho.read_error
        if flags.is_disconnect_packet_from_server:
            self._end(Down(f"it hung up: {code} (0x{code.value:02x})", code.value in _BLAMED))
        elif error is not None and refusal("mqtt", str(error)):
            self._end(_failed(error, secure=self._secure))
        elif self._greeting.begun:
            self._end(Down("the connection was lost"))
        else:
            hint = "" if self._secure else "; is it a TLS port (mqtts://)?"
            self._end(Down(f"no MQTT v5 broker answers there{hint}"))


def _failed(error: Exception, *, secure: bool) -> Down:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    refused = refusal("mqtt", words)
    if refused is None and secure and isinstance(error, ConnectionResetError):
        words += " (it hung up at once; does it speak TLS at this port?)"
    return Down(refused or words, refused=refused is not None)
