"""The last will, as far as the broker takes one: each refusal makes it ask for less.

A broker that takes no QoS 1 refuses a connection whose will wants it (CONNACK 0x9B), one without
retained messages a will that is retained (0x9A), one that bounds payloads a long will (0x95); to a
CONNECT above its largest packet there may be no answer at all. None of that is a reason to stay
away.

Pure but for the clock, which is injected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.mqtt.events import Will
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mqtt.events import Down
    from isotherm.log import Log

TOO_LARGE: Final = 0x95
NO_RETAIN: Final = 0x9A
NO_QOS: Final = 0x9B
MUTE: Final = 2
"""So many connections in a row without an answer to a CONNECT with a will let one go without."""
RENEW: Final = 3600.0
"""Seconds after which all is asked for again, at the next connection."""


class LastWill:
    """Says, at each connect, which will to ask for.

    Args:
        topic: of the will.
        payload: of the will as it is now.
        log: gets a line when the broker takes less than all of it, and one when it does again;
            None for whoever looks at `lack` instead.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        topic: str,
        payload: Callable[[], bytes],
        *,
        log: Log | None,
        clock: Callable[[], float],
    ) -> None:
        self._topic = topic
        self._payload = payload
        self._lacking = (
            None
            if log is None
            else Problem(log.warning, "", log.info, "the broker takes the whole last will again")
        )
        self._clock = clock
        self._qos, self._retain, self._present = 1, True, True
        self._why = ""
        self._mute = 0
        self._lowered_at = 0.0
        self.lack = ""
        """What the broker does not take of it, for people; empty where it takes all."""

    def offer(self) -> Will | None:
        """For the connection that is about to be made."""
        if self._lowered and self._clock() - self._lowered_at > RENEW:
            self._qos, self._retain, self._present, self._why = 1, True, True, ""
        if not self._present:
            return None
        return Will(self._topic, self._payload(), self._qos, self._retain)

    def failed(self, down: Down) -> bool:
        """A connection was not made; whether that is for the will, and the next asks for less."""
        if not down.mute:
            self._mute = 0
        if down.code == NO_RETAIN and self._present and self._retain:
            self._retain = False
        elif down.code == NO_QOS and self._present and self._qos:
            self._qos = 0
        elif down.code == TOO_LARGE and self._present:
            self._present = False
            self._why = "too large for it"
        elif down.mute:
            return self._unanswered()
        else:
            return False
        self._lowered_at = self._clock()
        return True

    def taken(self) -> None:
        """A connection was made."""
        self._mute = 0
        if not self._present:
            said = (
                "the broker takes no last will: a sudden end of this agent shows only in the age "
                "of its status"
            )
        elif not self._retain:
            said = "the broker takes no retained last will: only those who listen then hear of it"
        elif not self._qos:
            said = "the broker takes the last will at QoS 0 only"
        else:
            said = ""
        if said and self._why:
            said = f"{said} ({self._why})"
        self.lack = said
        if self._lacking is None:
            return
        if said:
            self._lacking.begin(said)
        else:
            self._lacking.end()

    @property
    def _lowered(self) -> bool:
        return not (self._qos and self._retain and self._present)

    def _unanswered(self) -> bool:
        # Whoever answers nothing may also be no broker: both ways are tried in turn.
        self._mute += 1
        if self._present and self._mute < MUTE:
            return False
        self._mute = 0
        self._present = not self._present
        self._why = "" if self._present else "its connection requests with one got no answer"
        self._lowered_at = self._clock()
        return False
