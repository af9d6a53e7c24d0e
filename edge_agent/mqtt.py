"""The connection to the broker: MQTT v5 over TCP or TLS, one after another.

Written here rather than left to a library, since a library's per-message calls are most of what a
message costs, and since all of it takes less memory than importing one.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from edge_agent import packets
from edge_agent.frames import BrokenFrameError
from edge_agent.greeting import Greeting
from edge_agent.link import Acks, Down, Event, Passed, Up
from edge_agent.reason import reason
from edge_agent.wire import MAX_PACKET, Wire
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from edge_agent.will import Will
    from isotherm.settings.address import Address

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for TCP, again for each step of TLS, and again for the broker's first answers."""
KEEPALIVE: Final = 30
SILENCE: Final = 1.5
"""Keepalives without a byte after which the broker counts as gone; it is asked after one."""
SESSION_EXPIRY: Final = 3600
"""Seconds for which the broker keeps the session of a client that is away."""
GOODBYE: Final = 0.2
"""Seconds that a goodbye may take."""
LOOK: Final = 0.5
"""Seconds between two looks at keepalive and timeouts."""
GREETING: Final = 3 * CONNECT_TIMEOUT
"""Seconds that the first words may take in all, however much the broker says meanwhile."""
READING: Final = 0.05
"""Seconds of one turn that reading may take: a broker that floods us does not stop the probes."""

_BLAMED: Final = frozenset({0x81, 0x82, 0x90, 0x95, 0x99})
"""DISCONNECT: malformed packet, protocol error, topic name, packet too large, payload format."""


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
        status_topic: of our own retained status, which is read back at each connect; None does
            not.
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
        self._address = address
        self._client_id = client_id
        self._username = username
        self._password = password
        self._tls = tls
        self._asked_keepalive = self._keepalive = keepalive
        self._status_topic = status_topic
        self.will: Will | None = None
        """What the broker shall publish should we vanish; read at each connect."""
        self._known = False
        self._opener: threading.Thread | None = None
        self._dialled: Wire | Exception | None = None
        self._woken, self._waker = socket.socketpair()
        self._over = False
        self._wire: Wire | None = None
        self._greeting = Greeting(status_topic)
        self._unsent = memoryview(b"")
        self._events: list[Event] = []
        self._heard = self._moved = self._asked = self._next_look = self._begun = 0.0
        self._marks = 0
        self._pings: deque[int] = deque()
        self._unread = False

    def open(self) -> None:
        """Begin to connect; ends in an `Up` or a `Down`."""
        self._greeting = Greeting(self._status_topic)
        self._unsent = memoryview(b"")
        self._pings.clear()
        self._opener = threading.Thread(target=self._dial, name="mqtt-connect", daemon=True)
        try:
            self._opener.start()
        except RuntimeError as error:
            # A board that has no thread left now may have one at the next try.
            self._opener = None
            self._events.append(self._failed(error))

    def exchange(self, frames: bytes) -> Sequence[Event]:
        """Send `frames`, or keep what the socket does not take yet, and say what happened."""
        if self._opener is not None:
            if self._opener.is_alive():
                return ()
            self._opener.join()
            self._opener = None
            self._woken.recv(1)
            self._begin()
        self._send(frames)
        self._write()
        self._read()
        self._look_after()
        events, self._events = self._events, []
        return events

    def mark(self) -> int:
        """Ask for a sign that the broker has read all that was sent so far.

        Packets are read in the order in which they are sent, so a PINGRESP is one.
        """
        self._marks += 1
        self._ping(self._marks)
        return self._marks

    def close(self, *, vanish: bool = False) -> None:
        """Say goodbye, so that the broker forgets the session at once.

        Args:
            vanish: have it publish the will; else it forgets that too.
        """
        self._over = True
        if isinstance(self._dialled, Wire):
            self._dialled.close()
        if self._wire is not None:
            # Also in the middle of the greeting: who only leaves has the will published.
            if self._greeting.welcome is not None and not self._unsent:
                self._send(packets.disconnect(will=vanish))
                self._write()
                if self._unsent:
                    select.select([], [self._wire.fileno()], [], GOODBYE)
                    self._write()
            self._wire.close()
            self._wire = None
        self._woken.close()
        self._waker.close()

    def wait(self, timeout: float, *more: int) -> None:
        """Sleep until the connection has news, one of `more` can be read, or `timeout` seconds."""
        reading = [self._woken.fileno(), *more]
        writing = []
        if self._wire is not None:
            reading.append(self._wire.fileno())
            if self._unsent:
                writing.append(self._wire.fileno())
        # What TLS has read ahead does not show on the socket.
        select.select(reading, writing, [], 0.0 if self._unread else max(0.0, timeout))

    def _dial(self) -> None:
        try:
            self._dialled = wire = Wire.dial(self._address, self._tls, CONNECT_TIMEOUT)
            if self._over:
                wire.close()
        except Exception as error:  # noqa: BLE001 whatever it is, the publisher shall hear of it
            self._dialled = error
        # Nobody may be waiting any more.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _begin(self) -> None:
        dialled, self._dialled = self._dialled, None
        if not isinstance(dialled, Wire):
            assert dialled is not None
            self._events.append(self._failed(dialled))
            return
        self._wire = dialled
        self._keepalive = self._asked_keepalive
        self._heard = self._moved = self._asked = self._begun = time.monotonic()
        self._send(
            packets.connect(
                self._client_id,
                clean_start=not self._known,
                keepalive=self._keepalive,
                session_expiry=SESSION_EXPIRY,
                maximum_packet=MAX_PACKET,
                username=self._username,
                password=self._password,
                will=self.will,
            )
        )

    def _send(self, frames: bytes) -> None:
        if frames:
            self._unsent = memoryview(bytes(self._unsent) + frames if self._unsent else frames)

    def _write(self) -> None:
        while self._wire is not None and self._unsent:
            sent = self._wire.push(self._unsent)
            if not sent:
                return
            self._unsent = self._unsent[sent:]
            self._moved = time.monotonic()

    def _read(self) -> None:
        more, until = True, time.monotonic() + READING
        self._unread = False
        while more and self._wire is not None:
            if time.monotonic() > until:
                self._unread = True
                return
            try:
                acks, others, more = self._wire.pull()
                if acks:
                    self._events.append(Acks(acks))
                for packet in others:
                    if self._wire is not None:
                        self._hear(packet)
            except EOFError:
                self._hang_up(self._ended())
            except (BrokenFrameError, IndexError) as error:
                self._hang_up(Down(f"what it sent is no MQTT: {error}"))
            if more:
                self._heard = time.monotonic()

    def _hear(self, packet: bytes) -> None:
        if packet[0] & 0xF0 == packets.DISCONNECT:
            code = packets.disconnect_code(packet)
            self._hang_up(Down(f"it hung up: {reason(code)}", blamed=code in _BLAMED, code=code))
        elif packet[0] & 0xF0 == packets.PINGRESP:
            if self._pings and (mark := self._pings.popleft()):
                self._events.append(Passed(mark))
        elif self._greeting.end is None:
            self._send(self._greeting.hear(packet))
            self._greeted()

    def _greeted(self) -> None:
        """Hear how the greeting ended, if it has."""
        match self._greeting.end:
            case Up() as up:
                self._events.append(up)
                self._known = True
                welcome = self._greeting.welcome
                if welcome is not None and welcome.keepalive is not None:
                    self._keepalive = welcome.keepalive
            case Down() as down:
                self._hang_up(down)

    def _look_after(self) -> None:
        now = time.monotonic()
        if self._wire is None or now < self._next_look:
            return
        self._next_look = now + LOOK
        silent, keepalive = now - self._heard, self._keepalive or float("inf")
        if self._greeting.end is None:
            mute = self._greeting.welcome is None
            if silent > CONNECT_TIMEOUT:
                why = f"no answer to our first words in {CONNECT_TIMEOUT:.0f} s"
                self._hang_up(Down(why, mute=mute))
            elif now - self._begun > GREETING:
                self._hang_up(Down(f"its first words take longer than {GREETING:.0f} s"))
        elif silent > SILENCE * keepalive:
            self._hang_up(Down(f"the broker has been silent for {silent:.0f} s"))
        elif self._unsent and now - self._moved > keepalive:
            self._hang_up(Down(f"the broker has read nothing for {keepalive:.0f} s"))
        elif max(now - self._moved, min(silent, now - self._asked)) >= keepalive:
            self._asked = now
            self._ping(0)

    def _ping(self, mark: int) -> None:
        self._pings.append(mark)
        self._send(packets.PINGREQ)

    def _hang_up(self, down: Down) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
            self._unsent = memoryview(b"")
            self._events.append(down)

    def _ended(self) -> Down:
        assert self._wire is not None
        error = self._wire.error
        if error is not None and refusal("mqtt", str(error)):
            return self._failed(error)
        if self._greeting.welcome is not None:
            return Down("the connection was lost")
        hint = "" if self._tls is not None else "; is it a TLS port (mqtts://)?"
        return Down(f"no MQTT v5 broker answers there{hint}", mute=True)

    def _failed(self, error: Exception) -> Down:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        refused = refusal("mqtt", words)
        if refused is None and self._tls is not None and isinstance(error, ConnectionResetError):
            words += " (it hung up at once; does it speak TLS at this port?)"
        return Down(refused or words, refused=refused is not None)
