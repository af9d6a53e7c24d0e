"""The connection to the broker over paho-mqtt.

paho keeps what happens seldom: TCP, CONNECT, keepalive, DISCONNECT. What happens per message goes
past it (`edge_agent.frames`) over its public `socket()`: what has come is peeked at, PUBACKs are
taken, and only other packets, when they are whole, are left to paho.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final, cast

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.frames import BrokenFrameError, frame_length, pubacks
from edge_agent.link import Acks, Down, Event, Up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import ConnectFlags, DisconnectFlags
    from paho.mqtt.reasoncodes import ReasonCode

    from contract.address import Address

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for TCP, and again for the broker's CONNACK."""
KEEPALIVE: Final = 30
SESSION_EXPIRY: Final = 3600
"""Seconds for which the broker keeps the session of a client that is away."""
READ_BYTES: Final = 65_536
PATIENCE: Final = 0.001
"""Seconds to wait for the rest of a packet of which only a part has come."""
ANY_NUMBER: Final = 65_535
"""What a broker takes at once that sets no Receive Maximum."""
MISC_INTERVAL: Final = 0.5
"""Seconds between two looks at keepalive and timeouts."""

_BLAMED: Final = frozenset({0x81, 0x82, 0x90, 0x95, 0x99})
"""DISCONNECT: malformed packet, protocol error, topic name, packet too large, payload format."""
_REFUSED: Final = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK: protocol version, client id, password, not authorized, banned, authentication method."""


class MqttLink:
    """One connection at a time to one broker; see `edge_agent.link.Link`.

    Connecting happens in a thread of its own, since a name server may keep it waiting for longer
    than a probe or a person will; all else happens in the caller's thread.

    Args:
        address: of the broker.
        client_id: names the session at the broker; two clients with one name throw each other out.
        username: None for a broker that asks for none.
        password: None where there is none.
    """

    def __init__(
        self,
        address: Address,
        *,
        client_id: str,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self._paho = paho = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        paho.connect_timeout = CONNECT_TIMEOUT
        if username is not None:
            paho.username_pw_set(username, password)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_EXPIRY
        # paho asks for a clean start until the first CONNACK, and for the session from then on.
        paho.connect_async(address.host, address.port, KEEPALIVE, properties=session)
        paho.on_connect = self._on_connect
        paho.on_disconnect = self._on_disconnect
        self._events: list[Event] = []
        self._opener: threading.Thread | None = None
        self._failure: Exception | None = None
        self._woken, self._waker = socket.socketpair()
        self._unsent = memoryview(b"")
        self._up = False
        self._ended = True
        self._moved = 0.0
        self._next_misc = 0.0

    def open(self) -> None:
        """Begin to connect; ends in an `Up` or a `Down`."""
        self._failure = None
        self._unsent = memoryview(b"")
        self._up = self._ended = False
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
            self._moved = time.monotonic()
            if self._failure is not None:
                self._end(Down(_plain(self._failure)))
        if frames:
            self._unsent = memoryview(bytes(self._unsent) + frames if self._unsent else frames)
        self._write()
        self._read()
        self._look_after()
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Say goodbye, so that the broker forgets the session at once."""
        if self._opener is not None and self._opener.is_alive():
            return
        if self._up and not self._unsent:
            self._ended = True
            goodbye = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            goodbye.SessionExpiryInterval = 0
            self._paho.disconnect(properties=goodbye)
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
        self._waker.send(b"\0")

    def _socket(self) -> socket.socket | None:
        return None if self._opener is not None else cast("Any", self._paho.socket())

    def _write(self) -> None:
        sock = self._socket()
        if sock is None:
            return
        # Packets must not be mixed: paho's go first, and it gets the word between ours only.
        if self._paho.want_write():
            self._paho.loop_write()
        try:
            while self._unsent and not self._paho.want_write():
                sent = sock.send(self._unsent)
                self._unsent = self._unsent[sent:]
                self._moved = time.monotonic()
        except BlockingIOError:
            pass
        except OSError:
            # What the broker said last may still be there to read; the reading finds the end.
            self._unsent = memoryview(b"")

    def _read(self) -> None:
        """Read what has come: PUBACKs in bulk, any other packet by paho."""
        while (sock := self._socket()) is not None:
            try:
                data = sock.recv(READ_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            try:
                found, size = pubacks(data)
                length = frame_length(data) if data and not found else size
            except BrokenFrameError as error:
                self._hang_up(Down(str(error)))
                return
            if found:
                sock.recv(size)
                self._events.append(Acks(found))
            elif length is None or len(data) < length <= READ_BYTES:
                # paho would keep a part of a packet to itself, and then could not be passed by.
                time.sleep(PATIENCE)
                return
            elif length > READ_BYTES:
                self._hang_up(Down("the broker sent a packet of an absurd length"))
            else:
                self._paho.loop_read()

    def _look_after(self) -> None:
        now = time.monotonic()
        if self._socket() is None or now < self._next_misc:
            return
        self._next_misc = now + MISC_INTERVAL
        if not self._up and now - self._moved > CONNECT_TIMEOUT:
            self._hang_up(Down(f"no answer to CONNECT in {CONNECT_TIMEOUT:.0f} s"))
        elif not self._unsent:
            self._paho.loop_misc()
        elif now - self._moved > KEEPALIVE:
            self._hang_up(Down(f"the broker has read nothing for {KEEPALIVE} s"))

    def _hang_up(self, down: Down | None = None) -> None:
        sock = self._socket()
        if sock is None:
            return
        self._end(down)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        # paho closes the socket when it reads the end.
        while self._paho.socket() is not None:
            self._paho.loop_read()

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
        self._up = True
        self._events.append(
            Up(
                session=flags.session_present,
                receive_maximum=getattr(properties, "ReceiveMaximum", ANY_NUMBER),
                maximum_packet=getattr(properties, "MaximumPacketSize", None),
            )
        )

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end(Down(f"it hung up: {code} (0x{code.value:02x})", code.value in _BLAMED))
        elif self._up:
            self._end(Down("the connection was lost"))
        else:
            self._end(Down("no MQTT v5 broker answers there"))


def _plain(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
