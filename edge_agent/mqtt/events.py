"""One connection to the broker, as the publisher sees it: messages go out, events come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

MQTT_5: Final = "5"
MQTT_3: Final = "3.1.1"


class Will(NamedTuple):
    """What the broker shall publish should we vanish."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


class Puback(NamedTuple):
    """The broker's answer to one message.

    Attributes:
        mid: the packet identifier.
        code: the reason code; 0 is success. MQTT 3.1.1 knows no other.
    """

    mid: int
    code: int


@dataclass(frozen=True, slots=True)
class Up:
    """The broker let us in.

    Attributes:
        receive_maximum: how many messages it takes at once.
        maximum_packet: bytes of the largest packet that it takes; None where it sets no bound.
        retained: what it kept of our own status; None where there is none, or nobody asked.
        unreadable: why the status could not be asked for; empty where it could.
        maximum_qos: the highest QoS that it takes.
        retain: whether it keeps retained messages.
        version: of MQTT: "5", or "3.1.1", which knows none of these limits.
    """

    receive_maximum: int = 65_535
    maximum_packet: int | None = None
    retained: bytes | None = None
    unreadable: str = ""
    maximum_qos: int = 2
    retain: bool = True
    version: str = MQTT_5


@dataclass(frozen=True, slots=True)
class Down:
    """There is no connection, or none any more.

    Attributes:
        reason: for people.
        blamed: the broker says that what we sent was the cause.
        refused: the broker does not let us in, and the same will happen next time.
        code: the reason code that the broker gave; None where it gave none.
        mute: it took our CONNECT, and ended without a word.
    """

    reason: str
    blamed: bool = False
    refused: bool = False
    code: int | None = None
    mute: bool = False


@dataclass(frozen=True, slots=True)
class Acks:
    """The broker's answers, in the order in which they came."""

    pubacks: Sequence[Puback]


@dataclass(frozen=True, slots=True)
class Passed:
    """The broker has read all that was sent before a mark.

    Attributes:
        mark: what `Link.mark` returned.
    """

    mark: int


Event = Up | Down | Acks | Passed


class Link(Protocol):
    """What the publisher needs of a connection; `edge_agent.mqtt.client` has the real one."""

    will: Will | None
    """What the broker shall publish should we vanish; read when the connection is made."""

    def open(self) -> None:
        """Begin to connect; ends in an `Up` or a `Down`."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        """Take a message; the next `exchange` sends it. Only between an `Up` and a `Down`.

        Args:
            topic: without wildcards.
            payload: what it carries.
            qos: 1, or 0 for a broker that takes no other.
            retain: the broker shall keep it for later subscribers.

        Returns:
            The packet identifier, which no other message has that is not acknowledged.
        """
        ...

    def exchange(self) -> Sequence[Event]:
        """Send what was published, as far as the socket takes it, and say what happened."""
        ...

    def mark(self) -> int:
        """Ask the broker for a sign that it has read all that was published; see `Passed`."""
        ...

    def close(self, *, vanish: bool = False) -> None:
        """Say goodbye, if connected; `vanish`: so that the broker publishes the will."""
        ...
