"""The MQTT client: paho, but for PUBLISH packets and their answers, which go in bulk."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from bridge.errors import PacketTooLargeError
from bridge.mqtt.framing import Frame, Framer, pubacks, pubcomps, receipts

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from bridge.mqtt.backpressure import Backpressure
    from bridge.mqtt.options import SessionOptions

_READ_BYTES: Final = 256 * 1024
_COALESCE_S: Final = 0.002
_COALESCE_MESSAGE_S: Final = 2e-6
_USUAL_WINDOW: Final = 20
_ROOM_S: Final = 0.25
_ALIVE_S: Final = 0.25
_PINGREQ: Final = b"\xc0\x00"
_PINGRESP: Final = b"\xd0\x00"


class Arrivals(NamedTuple):
    """Frames of one read, in arrival order.

    Attributes:
        connection: counts the connections of this process from 1; an acknowledgement is for this
            one only.
        frames: in arrival order; empty in `Pump.prove` alone.
    """

    connection: int
    frames: list[Frame]


class BulkClient(paho.Client, ABC):
    """A paho client that reads much at once.

    It takes PUBLISH packets out of the byte stream and gives paho the rest, so that paho keeps the
    connection, the handshake, keepalive and subscriptions. This class uses paho's public
    interface alone (`loop_read`, `loop_write` and `loop_misc` are its hooks for external loops).
    How the bytes come and go is left to two subclasses: `bridge.mqtt.paho_private` and
    `bridge.mqtt.paho_public`; `bridge.mqtt.ways` chooses.

    Args:
        options: how to connect.
        arrived: takes the frames; in the network thread.
        backpressure: says when to read.
        fresh: end the session that the broker has (MQTT 3.1.1; 5.0 says it at connect).
    """

    def __init__(
        self,
        options: SessionOptions,
        arrived: Callable[[Arrivals], None],
        backpressure: Backpressure | None = None,
        *,
        fresh: bool = False,
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=paho.MQTTv5 if options.modern else paho.MQTTv311,
            # With MQTT 5.0, clean start is said at connect instead.
            clean_session=None if options.modern else fresh,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if options.username is not None:
            self.username_pw_set(options.username, options.password)
        self.secure(options.tls)
        # With a write callback in place paho leaves all writing to the network thread.
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self.on_socket_register_write = self._leave_to_the_loop
        self._poll = select.poll()
        self._polled: Any = None
        """The connection that it waits for."""
        self._writing = False
        self._arrived = arrived
        self._backpressure = backpressure
        # No longer than the broker takes to fill its window, or a small one stays empty.
        window = options.receive_maximum if options.modern else _USUAL_WINDOW
        self._coalesce_s = min(_COALESCE_S, window * _COALESCE_MESSAGE_S)
        self._modern = options.modern
        self._limit = options.max_packet_size
        # A broker that was given the limit and keeps to it sends none. MQTT 3.1.1 cannot give it,
        # and a broker that does not keep to it sends the same message on each new connection: from
        # then on such ones are passed over, so that what is behind them comes.
        self._strict = options.modern
        self._framer = self._new_framer()
        self._for_paho = b""
        self._number = threading.Lock()
        self._connection = 0
        self._dropped = False
        self._alive_at = 0.0
        self.paused = False
        """Whether frames are passed over; the broker keeps them, as nothing acknowledges them."""
        self.on_passed_over: Callable[[list[Frame]], None] | None = None
        """Called with those; in the network thread."""
        self._passed_over = False
        self._resuming = False
        self._answered = threading.Event()
        self._pinged = False
        """Whether what ended the wait was a PINGRESP."""
        self.read_error: Exception | None = None
        """What ended the connection; paho forgets it."""

    @abstractmethod
    def secure(self, tls: ssl.SSLContext | None) -> None:
        """Prepare for connections: with TLS, or None for those without."""

    @abstractmethod
    def read_bytes(self, most: int) -> bytes:
        """Read from the connection; empty at its end.

        Raises:
            BlockingIOError: nothing is there.
            OSError: the connection is broken. paho must find the same when it reads next.
        """

    @abstractmethod
    def send_packets(self, packets: bytes) -> None:
        """Queue whole packets to go out in order; from any thread."""

    def wants_to_write(self) -> bool:
        """Whether anything waits to be sent."""
        return self.want_write()

    def next_for_paho(self, most: int) -> bytes:
        """What paho is to read next, of what it is left; empty where nothing is left."""
        data, self._for_paho = self._for_paho[:most], self._for_paho[most:]
        return data

    def reconnect(self) -> MQTTErrorCode:
        """Connect as paho does, under a new connection number."""
        # Numbered before paho clears what the last connection had queued: an acknowledgement either
        # comes before and is cleared with it, or comes after and is found stale.
        with self._number:
            self._connection += 1
            # All that is not acknowledged comes again, what was passed over among it.
            self._passed_over = self._dropped = False
            if self._resuming:
                self.paused = self._resuming = False
        self._framer = self._new_framer()
        self._for_paho = b""
        self.read_error = None
        return super().reconnect()

    def drop(self) -> None:
        """Close the socket without a DISCONNECT."""
        with self._number:
            self._connection += 1
            self._dropped = True
        if (connection := self.socket()) is not None:
            connection.close()
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
            # Closed meanwhile, in another thread: paho finds that, and ends in its own way.
            self.read_error = self.read_error or (error if isinstance(error, OSError) else None)
            connection.close()
            return super().loop_read()
        if readable:
            result = self.loop_read()
            if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
                return result
        if self.wants_to_write():
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
        if self._writing != self.wants_to_write():
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
        """Close what wakes the loop, which must have ended."""
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
                self.send_packets(receipts(mids, exact) if exact else pubacks(list(mids)))
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
        if self.is_connected() and self.socket() is not None and not self._dropped:
            self.send_packets(_PINGREQ)
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
            data = self.read_bytes(_READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            self.read_error = error
            data = b""
        if not data:
            # paho reads again, meets the same and closes the connection in its own way.
            return super().loop_read(max_packets)
        connection = self._connection
        frames, self._for_paho = self._split(data)
        pinged = _PINGRESP in self._for_paho
        result = self._have_paho_read(max_packets, alive=True)
        if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
            return result
        if frames := self._admit(frames):
            self._arrived(Arrivals(connection, frames))
        if pinged:
            self._pinged = True
            self._answered.set()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _have_paho_read(self, max_packets: int = 1, *, alive: bool) -> MQTTErrorCode:
        """Have paho handle what it is left.

        Args:
            max_packets: paho's argument.
            alive: the broker has sent something, of which paho sees nothing: a PINGRESP of our own
                says so. The broker's may lie behind more than comes in a keepalive.
        """
        now = time.monotonic()
        if alive and now - self._alive_at >= _ALIVE_S and self.is_connected():
            self._alive_at = now
            self._for_paho += _PINGRESP
        while left := len(self._for_paho):
            result = super().loop_read(max_packets)
            if len(self._for_paho) == left:
                raise RuntimeError("paho does not read what it is left")
            if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
                self._for_paho = b""
                return result
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
        self._have_paho_read(alive=True)
        return False

    def _new_framer(self) -> Framer:
        return Framer(properties=self._modern, limit=self._limit, strict=self._strict)

    def _split(self, data: bytes) -> tuple[list[Frame], bytes]:
        """Have the framer split what was read.

        Raises:
            MalformedPacketError: the connection must end; for a packet that is too large the broker
                got a DISCONNECT that says so (section 3.14.2.1), where MQTT has one.
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
            self.send_packets(pubcomps(self._framer.released))
            self._framer.released.clear()
        return split

    def _leave_to_the_loop(self, _client: paho.Client, _userdata: object, _socket: Any) -> None:
        """There is something to send: the loop does that."""
        self.wake()
