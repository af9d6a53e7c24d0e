"""The first words on a new connection: what the broker takes, and what it kept of us.

CONNECT, CONNACK; then our own retained status is asked for, and given up again: SUBSCRIBE, SUBACK,
the status if there is one, UNSUBSCRIBE, UNSUBACK. Nothing is published before, since what the
broker knows may say that our sequence numbers are not ours any more.
"""

from __future__ import annotations

from typing import Final

from edge_agent.mqtt import packets
from edge_agent.mqtt.events import Down, Up
from edge_agent.mqtt.publish_codec import FAILURE
from edge_agent.mqtt.reason_codes import reason

_REFUSED: Final = frozenset({0x01, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK: protocol version (as MQTT 3 has it, and as 5), client id, password, not authorized,
banned, authentication method."""
_OLD: Final = {0x01: 0x84, 0x02: 0x85, 0x03: 0x88, 0x04: 0x86, 0x05: 0x87}
"""The codes of a broker that only speaks MQTT 3 (OASIS MQTT 3.1.1, table 3.1), as those of 5."""


class Greeting:
    """Of one connection.

    Args:
        status_topic: of our own retained status; None asks for none.
    """

    def __init__(self, status_topic: str | None) -> None:
        self._topic = status_topic
        self._retained: bytes | None = None
        self._unreadable = ""
        self.welcome: packets.Welcome | None = None
        self.end: Up | Down | None = None
        """How it ended, once it has."""

    def hear(self, packet: bytes) -> bytes:
        """Take what the broker sent; the packet to send next, if there is one.

        Raises:
            BrokenFrameError: it is no MQTT.
        """
        kind = packet[0] & 0xF0
        if kind == packets.CONNACK:
            return self._begin(packets.welcome(packet))
        if self._topic is None or self.welcome is None:
            return b""
        if kind == packets.SUBACK:
            code = packets.suback_code(packet)
            self._unreadable = reason(code) if code >= FAILURE else ""
            return packets.unsubscribe(self._topic)
        if kind == packets.PUBLISH:
            message = packets.arrival(packet)
            if message.retain and message.topic == self._topic:
                self._retained = message.payload
        elif kind == packets.UNSUBACK:
            # What it sends came before this.
            self.end = self._up(self.welcome)
        return b""

    def _begin(self, welcome: packets.Welcome) -> bytes:
        if welcome.code:
            code = _OLD.get(welcome.code, welcome.code)
            refused = code in _REFUSED
            self.end = Down(f"it refuses us: {reason(code)}", refused=refused, code=code)
            return b""
        self.welcome = welcome
        if self._topic is not None:
            return packets.subscribe(self._topic)
        self.end = self._up(welcome)
        return b""

    def _up(self, welcome: packets.Welcome) -> Up:
        return Up(
            session=welcome.session,
            receive_maximum=welcome.receive_maximum,
            maximum_packet=welcome.maximum_packet,
            retained=self._retained,
            unreadable=self._unreadable,
            maximum_qos=welcome.maximum_qos,
            retain=welcome.retain,
        )
