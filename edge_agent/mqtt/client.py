"""The connection to the broker: paho's client, driven from the agent's own loop.

One client of paho's for each connection, so that nothing of an earlier one is left: no message that
it would send again by itself (the window does that), no packet identifier, no half-read packet.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.mqtt.events import MQTT_3, MQTT_5, Acks, Down, Event, Passed, Puback, Up
from edge_agent.mqtt.handshake import Handshake
from edge_agent.mqtt.paho_client import failed
from edge_agent.mqtt.reason_codes import VERSION, reason
from edge_agent.mqtt.transport import MAX_PACKET, Network, TooLongError, Transport
from isotherm.settings.refusal import refusal
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties

    from edge_agent.mqtt.events import Will
    from edge_agent.mqtt.paho_client import Target

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for TCP, for TLS, for WebSockets each, and again for the broker's first answers."""
SILENCE: Final = 1.5
"""Keepalives without a byte after which the broker counts as gone; paho asks it after one."""
GOODBYE: Final = 0.2
"""Seconds that a goodbye may take."""
LOOK: Final = 0.5
"""Seconds between two looks at keepalive and timeouts."""
GREETING: Final = 3 * CONNECT_TIMEOUT
"""Seconds that the first words may take in all, however much the broker says meanwhile."""
DIAL: Final = 3 * CONNECT_TIMEOUT
"""Seconds of connecting after which that is said: a name server, or a proxy, may hang."""
READING: Final = 0.05
"""Seconds of one turn that reading may take: a broker that floods us does not stop the probes."""
AUTO: Final = "auto"
"""MQTT 5, or 3.1.1 where the broker does not speak 5."""
MUTE: Final = 2
"""So many connections in a row without an answer to MQTT 5 let one go with 3.1.1: not every broker
of before says what it does not speak. With fewer of them, one that only restarts would be met in
3.1.1, which does not say that nobody gets a reading; more would ask for less of the last will."""

_WITH_WILL: Final = 0x04
"""DISCONNECT: the broker shall publish the will all the same."""
_REFUSAL_OF_3: Final = b"\x20\x02\0"
"""A CONNACK of MQTT 3.1.1, but for its code."""
_FRAME_OF_4: Final = b"\x82\x04"
"""What is before it over WebSockets."""
_BLAMED: Final = frozenset({0x81, 0x82, 0x90, 0x95, 0x99})
"""DISCONNECT: malformed packet, protocol error, topic name, packet too large, payload format."""


class MqttLink:
    """One connection at a time to one broker; see `edge_agent.mqtt.events.Link`.

    Connecting happens in a thread of its own, since a name server or a TLS handshake may keep it
    waiting for longer than a probe or a person will; all else happens in the caller's thread.

    Args:
        target: the broker, and who connects.
        status_topic: of our own retained status, which is read back at each connect; None does
            not.
        version: of MQTT: `AUTO`, `MQTT_5` or `MQTT_3`.
    """

    def __init__(
        self,
        target: Target,
        *,
        status_topic: str | None = None,
        version: str = AUTO,
    ) -> None:
        self._target = target
        self._status_topic = status_topic
        self._asked_version = version
        self.will: Will | None = None
        """What the broker shall publish should we vanish; read at each connect."""
        self._version = MQTT_5
        self._mute = 0
        self._doubtful = True
        self._unreadable = ""
        self._woken, self._waker = socket.socketpair()
        self._opener: threading.Thread | None = None
        self._late_at = 0.0
        self._over = False
        self._made: Client | None = None
        self._network: Network | None = None
        self._failure: Exception | None = None
        # While there is a connection:
        self._client: Client | None = None
        self._transport: Transport | None = None
        self._handshake = Handshake(status_topic)
        self._spoke = self._let_in = False
        self._ended: tuple[bool, int] | None = None
        self._qos = 1
        self._acks: list[Puback] = []
        self._events: list[Event] = []
        self._next_look = self._begun = 0.0
        self._unread = False

    def open(self) -> None:
        """Begin to connect; ends in an `Up` or a `Down`."""
        if self._opener is not None or self._client is not None:
            # It was given up as too late, and nothing can end it: it is waited for.
            return
        # A broker that did not speak 5 may have learnt it since.
        self._open(MQTT_3 if self._asked_version == MQTT_3 else MQTT_5)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        """Take a message; the next `exchange` sends it. See `edge_agent.mqtt.events.Link`."""
        assert self._client is not None
        self._qos = qos
        while True:
            info = self._client.publish(topic, payload, qos, retain)
            # The next identifier belongs to a message that is not acknowledged yet.
            if info.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                break
        # At once, so that paho keeps no copy of it.
        self._client.loop_write()
        return info.mid

    def exchange(self) -> Sequence[Event]:
        """Send what was published, as far as the socket takes it, and say what happened."""
        if self._opener is not None:
            if self._opener.is_alive():
                return self._late()
            self._opener.join()
            self._opener = None
            self._woken.recv(1)
            self._begin()
        try:
            # Before sending: a TLS 1.3 alert is lost once a write has failed.
            self._read()
            self._look_after()
            self._send()
        except Exception as error:  # noqa: BLE001 whatever a broker has paho raise, it costs a connection
            self._hang_up(Down(f"what it sent is no MQTT: {where(error)}"))
        events, self._events = self._events, []
        return events

    def mark(self) -> int:
        """Ask for a sign that the broker has read all that was published so far.

        Packets are read in the order in which they are sent, so the UNSUBACK of a topic that nobody
        subscribed to is one.
        """
        assert self._client is not None
        _, mid = self._client.unsubscribe(self._status_topic or self._target.client_id)
        return mid or 0

    def close(self, *, vanish: bool = False) -> None:
        """Say goodbye, so that the broker forgets the session at once.

        Args:
            vanish: have it publish the will; else it forgets that too.
        """
        self._over = True
        if self._made is not None and self._network is not None:
            self._network.close()
        if self._client is not None and self._transport is not None:
            with contextlib.suppress(Exception):
                self._say_goodbye(self._client, self._transport, vanish=vanish)
            self._transport.close()
            self._client = self._transport = None
        self._woken.close()
        self._waker.close()

    def wait(self, timeout: float, *more: int) -> None:
        """Sleep until the connection has news, one of `more` can be read, or `timeout` seconds."""
        poll = select.poll()
        for descriptor in (self._woken.fileno(), *more):
            poll.register(descriptor, select.POLLIN)
        if self._transport is not None:
            writing = select.POLLOUT if self._transport.unsent else 0
            poll.register(self._transport.fileno(), select.POLLIN | writing)
        # What has been read ahead does not show on the socket.
        poll.poll(0 if self._unread else math.ceil(max(0.0, timeout) * 1000))

    # -- connecting

    def _late(self) -> Sequence[Event]:
        """What to say while the thread connects: once, that it takes long."""
        if time.monotonic() < self._late_at:
            return ()
        self._late_at = math.inf
        by_name = f"the name server for {self._target.address.host}"
        asked = by_name if self._target.proxy is None else "mqtt.proxy, or its name server"
        return (Down(f"connecting has taken {DIAL:.0f} s: no answer from {asked}"),)

    def _open(self, version: str) -> None:
        self._version = version
        self._made, self._failure = None, None
        self._late_at = time.monotonic() + DIAL
        self._opener = threading.Thread(target=self._dial, name="mqtt-connect", daemon=True)
        try:
            self._opener.start()
        except RuntimeError as error:
            # A board that has no thread left now may have one at the next try.
            self._opener = None
            self._events.append(failed(self._target, error))

    def _dial(self) -> None:
        target = self._target
        self._network = network = Network(target.tls, CONNECT_TIMEOUT, websockets=target.websockets)
        try:
            client = self._target.client(network, self._version, self.will, CONNECT_TIMEOUT)
            client.on_connect = self._on_connect
            client.on_publish = self._on_publish
            client.on_subscribe = self._on_subscribe
            client.on_unsubscribe = self._on_unsubscribe
            client.on_disconnect = self._on_disconnect
            if self._status_topic is not None:
                client.message_callback_add(self._status_topic, self._on_status)
            self._target.connect(client, self._version)
            self._made = client
            if self._over:
                network.close()
        except Exception as error:  # noqa: BLE001 whatever it is, the publisher shall hear of it
            network.close()
            self._failure = error
        # Nobody may be waiting any more.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _begin(self) -> None:
        if self._made is None or self._network is None or self._network.transport is None:
            failure, self._failure = self._failure, None
            assert failure is not None
            # What it refers to ends with it: PySocks leaves a socket open.
            self._events.append(failed(self._target, failure))
            return
        self._client, self._transport = self._made, self._network.transport
        self._made = self._network = None
        topic = None if self._unreadable else self._status_topic
        self._handshake = Handshake(topic, self._unreadable)
        self._spoke = self._let_in = self._unread = False
        self._ended = None
        self._begun = self._transport.heard = self._transport.moved = time.monotonic()

    # -- what paho tells

    def _on_connect(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        def announced(name: str, otherwise: Any) -> Any:
            return getattr(properties, name, otherwise)

        up = Up(
            receive_maximum=announced("ReceiveMaximum", 65_535),
            maximum_packet=announced("MaximumPacketSize", None),
            maximum_qos=announced("MaximumQoS", 2),
            retain=bool(announced("RetainAvailable", 1)),
            version=self._version,
        )
        handshake = self._handshake
        if handshake.connected(code.value, up):
            assert handshake.topic is not None
            self._spoke = True
            client.subscribe(handshake.topic)

    def _on_subscribe(
        self, client: Client, _data: object, _mid: int, codes: list[ReasonCode], _: object
    ) -> None:
        handshake = self._handshake
        if handshake.topic is not None and handshake.end is None and codes:
            handshake.subscribed(codes[-1].value)
            self._spoke = True
            client.unsubscribe(handshake.topic)

    def _on_status(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._handshake.arrived(bytes(message.payload), retained=message.retain)

    def _on_unsubscribe(
        self, _client: Client, _data: object, mid: int, _codes: object, _: object
    ) -> None:
        if self._handshake.end is not None:
            self._events.append(Passed(mid))
        elif self._handshake.welcome is not None:
            self._handshake.unsubscribed()

    def _on_publish(
        self, _client: Client, _data: object, mid: int, code: ReasonCode, _: object
    ) -> None:
        # At QoS 0 paho says this of what it has written, which is no answer of the broker's.
        if self._qos:
            self._acks.append(Puback(mid, code.value))

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        flags: DisconnectFlags,
        code: ReasonCode | None,
        _: object,
    ) -> None:
        said = flags.is_disconnect_packet_from_server
        self._ended = (said, code.value if code is not None else 0)

    # -- one turn

    def _read(self) -> None:
        until = time.monotonic() + READING
        self._unread = False
        while (client := self._client) is not None and (transport := self._transport) is not None:
            transport.allow()
            self._hand_over()
            outcome = client.loop_read()
            self._hear(client, outcome)
            if transport.dry and not transport.unread:
                return
            if time.monotonic() > until:
                self._unread = True
                return

    def _hear(self, client: Client, outcome: MQTTErrorCode) -> None:
        """See what one call of paho's made of what came."""
        end = self._handshake.end
        if isinstance(end, Up) and not self._let_in:
            if self._in_doubt():
                return
            self._let_in = True
            self._unreadable = ""
            self._events.append(end)
        self._pass_on_acks()
        if isinstance(end, Down):
            self._hang_up(end)
        elif self._ended is not None or outcome != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._hang_up(self._end(outcome))
        elif client.want_write() and not self._spoke:
            # All of ours had gone before: this answers a message that nobody asked for.
            self._hang_up(Down("it sent what nobody asked for"))
        self._spoke = False

    def _in_doubt(self) -> bool:
        """The broker lets us in; whether MQTT 5 is tried once more instead.

        One that was silent to it may have been about to start, and speak it now.
        """
        if self._version == MQTT_5:
            self._mute, self._doubtful = 0, True
            return False
        doubtful, self._doubtful = self._doubtful, False
        if not (doubtful and self._mute):
            return False
        assert self._client is not None
        assert self._transport is not None
        self._say_goodbye(self._client, self._transport, vanish=False)
        self._drop()
        self._open(MQTT_5)
        return True

    def _may_be_older(self, down: Down) -> bool:
        """Whether a connection that ended so is tried with MQTT 3.1.1 at once."""
        if self._asked_version != AUTO or self._version == MQTT_3 or self._let_in:
            return False
        if down.mute:
            self._mute += 1
            return self._mute >= MUTE
        self._mute, self._doubtful = 0, True
        return down.code == VERSION

    def _hand_over(self) -> None:
        """Have paho write into the transport, which takes it all."""
        if self._client is not None and self._client.want_write():
            self._client.loop_write()

    def _send(self) -> None:
        self._hand_over()
        if self._transport is not None:
            self._transport.flush()

    def _look_after(self) -> None:
        now = time.monotonic()
        client, transport = self._client, self._transport
        if client is None or transport is None or now < self._next_look:
            return
        self._next_look = now + LOOK
        silent, keepalive = now - transport.heard, client.keepalive or math.inf
        if self._handshake.end is None:
            mute = self._handshake.welcome is None
            if silent > CONNECT_TIMEOUT:
                why = f"no answer to our first words in {CONNECT_TIMEOUT:.0f} s"
                self._hang_up(Down(why, mute=mute))
            elif now - self._begun > GREETING:
                self._hang_up(Down(f"its first words take longer than {GREETING:.0f} s"))
        elif silent > SILENCE * keepalive:
            self._hang_up(Down(f"the broker has been silent for {silent:.0f} s"))
        elif transport.unsent and now - transport.moved > keepalive:
            self._hang_up(Down(f"the broker has read nothing for {keepalive:.0f} s"))
        else:
            client.loop_misc()
            if self._ended is not None:
                self._hang_up(Down(f"the broker has been silent for {silent:.0f} s"))

    def _pass_on_acks(self) -> None:
        if self._acks:
            self._events.append(Acks(self._acks))
            self._acks = []

    # -- the end

    def _say_goodbye(self, client: Client, transport: Transport, *, vanish: bool) -> None:
        # Also in the middle of the handshake: who only leaves has the will published.
        if self._handshake.welcome is None or transport.unsent or client.want_write():
            return
        transport.linger = GOODBYE
        if not vanish:
            client.disconnect()
        elif self._version == MQTT_5:
            client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=_WITH_WILL))
        client.loop_write()

    def _hang_up(self, down: Down) -> None:
        if self._client is not None:
            self._pass_on_acks()
            self._drop()
            if self._may_be_older(down):
                self._open(MQTT_3)
            else:
                self._events.append(down)

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._client = self._transport = None

    def _end(self, outcome: MQTTErrorCode) -> Down:
        """Why paho has no connection any more."""
        said, code = self._ended or (False, 0)
        if said:
            return Down(f"it hung up: {reason(code)}", blamed=code in _BLAMED, code=code)
        if outcome == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            return self._no_mqtt()
        error = self._transport.error if self._transport is not None else None
        if isinstance(error, TooLongError):
            if self._handshake.welcome is not None and self._handshake.end is None:
                # Somebody put it where our status belongs. Our own takes its place.
                self._unreadable = f"what stands there is longer than {MAX_PACKET} bytes"
            return Down(str(error))
        if error is not None and refusal("mqtt", str(error)):
            return failed(self._target, error)
        if self._handshake.welcome is not None:
            return Down("the connection was lost")
        hint = "" if self._target.tls is not None else "; is it a TLS port (mqtts://)?"
        return Down(f"no MQTT broker answers there{hint}", mute=True)

    def _no_mqtt(self) -> Down:
        """Why paho takes what came for no MQTT."""
        if self._handshake.welcome is not None or self._transport is None:
            return Down("what it sent is no MQTT")
        if self._version == MQTT_3:
            # paho tells of no other refusal in this way.
            return Down("it speaks no MQTT 3.1.1")
        # It knows that a refusal may come in the form of 3.1.1, without properties, only for one
        # of its codes.
        if self._transport.first.removeprefix(_FRAME_OF_4).startswith(_REFUSAL_OF_3):
            return Down(f"it refuses us: {reason(VERSION)}", refused=True, code=VERSION)
        return Down("what it sent is no MQTT")
