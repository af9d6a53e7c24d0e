"""The MQTT client: paho, but for PUBLISH frames and their answers, which go in bulk."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from bridge.errors import PacketTooLargeError
from bridge.frames import Frame, Framer, pubacks, pubcomps, receipts

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from bridge.backpressure import Backpressure
    from isotherm.settings.address import Address

_READ_BYTES = 256 * 1024
_COALESCE_S = 0.002
_COALESCE_MESSAGE_S = 2e-6
_USUAL_WINDOW = 20
_ROOM_S = 0.25
_PUBACK = 0x40
_PUBCOMP = 0x70
_PINGREQ = 0xC0
_PINGRESP = b"\xd0\x00"


class Arrivals(NamedTuple):
    """Frames of one read, in arrival order.

    Attributes:
        connection: counts the connections of this process from 1; an acknowledgement is for this
            one only.
        frames: in arrival order; empty in `Pump.prove` alone.
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
        max_packet_size: bytes; no larger packet is taken. MQTT 5.0 brokers are told (section
            3.1.2.11.4), and then drop a larger message for this session.
        session_expiry: how long the broker keeps the session while we are away, seconds.
        username, password: None where the broker asks for none.
        tls: the context for ``mqtts``.
    """

    address: Address
    client_id: str
    filters: tuple[str, ...]
    version: int = 5
    receive_maximum: int = 20_000
    max_packet_size: int = 4 * 1024 * 1024
    session_expiry: int = 7 * 86400
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class BulkClient(paho.Client):
    """A paho client that reads much at once.

    It takes PUBLISH frames out of the stream and gives paho the rest: `loop_read` is paho's public
    hook for external loops, and `_sock_recv` (the one place where paho reads) serves it what is
    left. tests/bridge/test_session.py fails if a new paho goes about this differently.
    """

    def __init__(
        self,
        options: SessionOptions,
        arrived: Callable[[Arrivals], None],
        backpressure: Backpressure | None = None,
        *,
        fresh: bool = False,
    ) -> None:
        modern = options.version == 5  # noqa: PLR2004 the protocol's own number
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=paho.MQTTv5 if modern else paho.MQTTv311,
            # With MQTT 5.0, clean start is said at connect instead.
            clean_session=None if modern else fresh,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if options.username is not None:
            self.username_pw_set(options.username, options.password)
        if options.tls is not None:
            self.tls_set_context(options.tls)
        # With a write callback in place paho leaves all writing to the network thread.
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self.on_socket_register_write = self._leave_to_the_loop
        self._poll = select.poll()
        self._polled: Any = None
        """The connection that it waits for."""
        self._writing = False
        self.paused = False
        """Whether frames are passed over; the broker keeps them, as nothing acknowledges them."""
        self.on_passed_over: Callable[[list[Frame]], None] | None = None
        """Told of those; in the network thread."""
        self._passed_over = False
        self._resuming = False
        self._arrived = arrived
        self._backpressure = backpressure
        # No longer than the broker takes to fill its window, or a small one stands empty.
        window = options.receive_maximum if modern else _USUAL_WINDOW
        self._coalesce_s = min(_COALESCE_S, window * _COALESCE_MESSAGE_S)
        self._modern = modern
        self._connection = 0
        self._number = threading.Lock()
        self._limit = options.max_packet_size
        # Where the broker was told and keeps to it, none comes. MQTT 3.1.1 cannot tell it, and a
        # broker that does not keep to it sends the same message on each new connection: from then
        # on such ones are passed over, so that what is behind them comes.
        self._strict = modern
        self._framer = self._new_framer()
        self._for_paho = b""
        self._answered = threading.Event()
        self._pinged = False
        """Whether what ended the wait was a PINGRESP."""
        self.read_error: Exception | None = None
        """What ended the connection; paho forgets it."""

    def reconnect(self) -> MQTTErrorCode:
        """Connect as paho does, under a new connection number."""
        # Numbered before paho clears what the last connection had queued: an acknowledgement either
        # comes before and is cleared with it, or comes after and is found stale.
        with self._number:
            self._connection += 1
            # All that is not acknowledged comes again, what was passed over among it.
            self._passed_over = False
            if self._resuming:
                self.paused = self._resuming = False
        self._framer = self._new_framer()
        self._for_paho = b""
        self.read_error = None
        return super().reconnect()

    def drop(self) -> None:
        """Close the socket without a word."""
        with self._number:
            self._connection += 1
        self._sock_close()
        self.stop_waiting()

    def loop(self, timeout: float = 1.0) -> MQTTErrorCode:
        """Wait for the socket or for something to send, and do what is to be done.

        As paho's, which waits with select(): that fails for every file descriptor above 1023.

        Args:
            timeout: the longest wait, seconds.
        """
        connection: Any = self.socket()
        if connection is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        # Bytes that TLS has decrypted already make no socket readable.
        pending = hasattr(connection, "pending") and connection.pending() > 0
        try:
            readable = self._await(connection, 0.0 if pending else timeout) or pending
        except (OSError, ValueError) as error:
            # Closed meanwhile, in another thread.
            self.read_error = self.read_error or (error if isinstance(error, OSError) else None)
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        if readable:
            result = self.loop_read()
            if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
                return result
        if self.want_write():
            result = self.loop_write()
            if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
                return result
        return self.loop_misc()

    def _await(self, connection: Any, timeout: float) -> bool:
        """Whether there is something to read, or the connection has an error."""
        if self._polled is not connection:
            self._polled = connection
            self._poll = select.poll()
            self._poll.register(self._woken, select.POLLIN)
            self._poll.register(connection, select.POLLIN)
            self._writing = False
        if self._writing != self.want_write():
            self._writing = not self._writing
            events = select.POLLIN | (select.POLLOUT if self._writing else 0)
            self._poll.modify(connection, events)
        readable = False
        for number, event in self._poll.poll(timeout * 1000):
            if number == self._woken.fileno():
                self._woken.recv(4096)
            elif event & select.POLLNVAL:
                raise ValueError("the socket is closed")
            else:
                readable = bool(event & ~select.POLLOUT)
        return readable

    def wake(self) -> None:
        """End a wait in `loop`; from any thread."""
        # One that is full wakes as well.
        with contextlib.suppress(OSError):
            self._wake.send(b"0")

    def release(self) -> None:
        """Let go of what wakes the loop, which must have ended."""
        self._wake.close()
        self._woken.close()

    def acknowledge(self, connection: int, mids: Sequence[int]) -> bool:
        """Queue PUBACKs as one write; False for a connection that has ended.

        What came at QoS 2 gets its PUBREC instead (section 4.3.3), in the same order.
        """
        with self._number:
            if connection != self._connection:
                return False
            if mids:
                exact = self._framer.exact
                packets = receipts(mids, exact) if exact else pubacks(list(mids))
                self._packet_queue(_PUBACK, packets, 0, 0)
            return True

    def wait_for_answer(self, timeout: float) -> bool:
        """Wait for a PINGRESP: by then the broker has taken all that was sent before.

        Closing a socket while frames lie unread in it resets the connection, and the broker's
        kernel would throw away PUBACKs that it has not read yet.

        Returns:
            Whether it came. What the broker sent before it has been handed on then.
        """
        self._pinged = False
        self._answered.clear()
        # After `drop` paho still takes itself for connected.
        if self.is_connected() and self.socket() is not None:
            self._packet_queue(_PINGREQ, b"\xc0\x00", 0, 0)
            self._answered.wait(timeout)
        return self._pinged

    def stop_waiting(self) -> None:
        """End `wait_for_answer`: the connection is gone, and no answer will come over it."""
        self._answered.set()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read what is there: hand on the PUBLISH frames, have paho handle the rest."""
        if self._backpressure is not None:
            if not self._room(self._backpressure):
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            # A broker writes one message at a time; while they cannot be delivered yet, a short
            # wait saves a turn of the loop for each.
            self._backpressure.idle.wait(self._coalesce_s)
        try:
            data = super()._sock_recv(_READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            self.read_error = error
            # paho reads again, meets the same error and closes the connection in its own way.
            return super().loop_read(max_packets)
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        with self._msgtime_mutex:
            self._last_bytes_received = paho.time_func()
        connection = self._connection
        frames, self._for_paho = self._split(data)
        pinged = _PINGRESP in self._for_paho
        while self._for_paho:
            result = super().loop_read(max_packets)
            if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
                self._for_paho = b""
                return result
        if frames := self._admit(frames):
            self._arrived(Arrivals(connection, frames))
        if pinged:
            self._pinged = True
            self._answered.set()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def resume(self) -> bool:
        """End the pause: now, or with the next connection where frames were passed over.

        Returns:
            Whether it takes a new connection. What comes over this one is newer than what was
            passed over, so to take it would break the order.
        """
        with self._number:
            self._resuming = self._passed_over
            self.paused = self._passed_over
            return self._resuming

    def _admit(self, frames: list[Frame]) -> list[Frame]:
        """The frames to hand on: in a pause those at QoS 0 alone, which never come again."""
        with self._number:
            if not self.paused:
                return frames
            unbounded = [frame for frame in frames if not frame.mid]
            self._passed_over = self._passed_over or len(unbounded) < len(frames)
        if self.on_passed_over is not None:
            self.on_passed_over([frame for frame in frames if frame.mid])
        return unbounded

    def _room(self, backpressure: Backpressure) -> bool:
        """Whether to read; waits a little for it."""
        # Before the CONNACK, and in a pause, what is read takes no room.
        if backpressure.room.is_set() or self.paused or not self.is_connected():
            return True
        if backpressure.room.wait(_ROOM_S):
            return True
        # A PINGRESP may be among what lies unread, so its absence proves nothing: the broker has
        # sent something. PINGREQs go on.
        with self._msgtime_mutex:
            self._last_bytes_received = paho.time_func()
        self._ping_t = 0.0
        return False

    def _new_framer(self) -> Framer:
        return Framer(properties=self._modern, limit=self._limit, strict=self._strict)

    def _split(self, data: bytes) -> tuple[list[Frame], bytes]:
        """Have the framer split what was read.

        Raises:
            MalformedPacketError: the connection must end; for a packet that is too large the broker
                has been told (section 3.14.2.1), where MQTT has words for it.
        """
        try:
            split = self._framer.feed(data)
        except PacketTooLargeError as error:
            self._strict = False
            self.read_error = error
            if self._modern:
                self.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Packet too large"))
                self.loop_write()
            raise
        if self._framer.released:
            # What has its PUBREC is in Kafka, and what has none was never handed on twice: either
            # way the identifier is free again.
            self._packet_queue(_PUBCOMP, pubcomps(self._framer.released), 0, 0)
            self._framer.released.clear()
        return split

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._for_paho:
            return super()._sock_recv(bufsize)
        data, self._for_paho = self._for_paho[:bufsize], self._for_paho[bufsize:]
        return data

    def _leave_to_the_loop(self, _client: paho.Client, _userdata: object, _socket: Any) -> None:
        """There is something to send: the loop does that."""
        self.wake()
