"""The first words on a new connection: what the broker takes, and what it kept of us.

CONNACK; then our own retained status is asked for, and given up again: SUBSCRIBE, SUBACK, the
status if there is one, UNSUBSCRIBE, UNSUBACK. Nothing is published before, since what the broker
knows may say that our sequence numbers are not ours any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.frames import FAILURE, subscribe, unsubscribe
from edge_agent.link import Up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

ANY_NUMBER: Final = 65_535
"""What a broker takes at once that sets no Receive Maximum."""


class Greeting:
    """Of one connection; each method takes an answer and gives the packet to send next.

    Args:
        status_topic: of our own retained status; None asks for none.
    """

    def __init__(self, status_topic: str | None) -> None:
        self._topic = status_topic
        self._session = False
        self._properties: Properties | None = None
        self._retained: bytes | None = None
        self._unreadable = ""
        self.begun = False
        self.done = False

    def connack(self, *, session: bool, properties: Properties | None) -> bytes:
        """The broker lets us in."""
        self._session = session
        self._properties = properties
        self.begun = True
        self.done = self._topic is None
        return b"" if self._topic is None else subscribe(self._topic)

    def suback(self, codes: Sequence[ReasonCode]) -> bytes:
        """It sends the status, or it has none, or it may not."""
        assert self._topic is not None
        for code in codes:
            if code.value >= FAILURE:
                self._unreadable = str(code)
        return unsubscribe(self._topic)

    def message(self, message: MQTTMessage) -> None:
        """It sent a message."""
        if message.retain and message.topic == self._topic:
            self._retained = bytes(message.payload)

    def unsuback(self) -> None:
        """What it sends came before this."""
        self.done = True

    def up(self) -> Up:
        """What was said, once it is `done`."""
        return Up(
            session=self._session,
            receive_maximum=getattr(self._properties, "ReceiveMaximum", ANY_NUMBER),
            maximum_packet=getattr(self._properties, "MaximumPacketSize", None),
            retained=self._retained,
            unreadable=self._unreadable,
        )
