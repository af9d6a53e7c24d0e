"""One connection to the broker, as the publisher sees it: frames go out, events come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.mqtt.broker.will import Will
    from edge_agent.mqtt.publish_codec import Puback


@dataclass(frozen=True, slots=True)
class Up:
    """The broker let us in.

    Attributes:
        session: whether it remembers what an earlier connection sent.
        receive_maximum: how many messages it takes at once.
        maximum_packet: bytes of the largest packet that it takes; None where it sets no bound.
        retained: what it kept of our own status; None where there is none, or nobody asked.
        unreadable: why the status could not be asked for; empty where it could.
        maximum_qos: the highest QoS that it takes.
        retain: whether it keeps retained messages.
    """

    session: bool
    receive_maximum: int
    maximum_packet: int | None
    retained: bytes | None = None
    unreadable: str = ""
    maximum_qos: int = 2
    retain: bool = True


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

    def exchange(self, frames: bytes) -> Sequence[Event]:
        """Send `frames`, or keep what the socket does not take yet, and say what happened."""
        ...

    def mark(self) -> int:
        """Ask the broker for a sign that it has read all that was sent so far; see `Passed`."""
        ...

    def close(self, *, vanish: bool = False) -> None:
        """Say goodbye, if connected; `vanish`: so that the broker publishes the will."""
        ...
