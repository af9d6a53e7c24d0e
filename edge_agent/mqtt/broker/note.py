"""What the agent knows of its broker, noted in the outbox's file for `isotherm-agent doctor`.

A doctor that connects beside a running agent may throw it out: a broker can be told to take the
user name, or the name in the certificate, for the client id. So where the agent runs under one, its
own note answers.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mqtt.broker.rival import Rival
    from edge_agent.mqtt.broker.will import LastWill
    from edge_agent.mqtt.publisher import Publisher

FACT: Final = "broker"
"""The fact's name in the store."""
GAP: Final = 10.0
"""Seconds between two notes at least: a line that flaps is no reason to write more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerNote:
    """How the connection is.

    Attributes:
        connected: whether the broker lets us send.
        why: why not, if so.
        receive_maximum: how many messages it takes at once; 0 while there is no connection.
        maximum_packet: bytes of the largest packet, as it announced; 0 where it announces none.
        maximum_qos: the highest QoS that it takes.
        retain: whether it keeps retained messages.
        will_lack: what it does not take of the last will; empty where it takes all.
        own_status: whether it showed us a status of ours.
        unreadable: why it did not, if it said so.
        rival: whether another agent uses our device.id.
    """

    connected: bool
    why: str = ""
    receive_maximum: int = 0
    maximum_packet: int = 0
    maximum_qos: int = 2
    retain: bool = True
    will_lack: str = ""
    own_status: bool = False
    unreadable: str = ""
    rival: bool = False


def decode_note(text: object) -> BrokerNote | None:
    """The note of a store; None where there is none, or it is of another version."""
    try:
        wire: dict[str, Any] = json.loads(str(text))
        return BrokerNote(**{field.name: wire[field.name] for field in fields(BrokerNote)})
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class BrokerNotes:
    """A duty of the main loop: keeps the note true.

    Args:
        publisher: has the connection.
        will: and what the broker takes of it.
        rival: of our client id.
        note: writes a fact into the store.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        will: LastWill,
        rival: Rival,
        note: Callable[[str, str], None],
    ) -> None:
        self._publisher = publisher
        self._will = will
        self._rival = rival
        self._note = note
        self._noted: BrokerNote | None = None
        self._due = -math.inf

    def turn(self, now: float) -> float:
        """Note what has changed; seconds until it wants to look again."""
        if now < self._due:
            return self._due - now
        note = self._now()
        if note != self._noted:
            self._noted = note
            self._due = now + GAP
            self._note(FACT, json.dumps(asdict(note)))
        return GAP

    def _now(self) -> BrokerNote:
        publisher, up = self._publisher, self._publisher.greeting
        if up is None:
            return BrokerNote(connected=False, why=publisher.waiting_for, rival=self._rival.here)
        return BrokerNote(
            connected=True,
            receive_maximum=up.receive_maximum,
            maximum_packet=up.maximum_packet or 0,
            maximum_qos=up.maximum_qos,
            retain=up.retain,
            will_lack=self._will.lack,
            own_status=up.retained is not None,
            unreadable=up.unreadable,
            rival=self._rival.here,
        )
