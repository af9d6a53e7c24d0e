"""What is dropped at QoS 0 while Kafka is away: counted, and said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.waiting import MAX_UNBOUNDED_BYTES
from isotherm.log import Problem

if TYPE_CHECKING:
    from isotherm.log import Log


class Overflow:
    """Says when messages at QoS 0 begin to be dropped, and when they are taken again.

    Args:
        log: where it is said.
    """

    def __init__(self, log: Log) -> None:
        self._full = Problem(log.warning, "mqtt qos 0 overflow", log.info, "mqtt qos 0 taken again")
        self._since = 0

    def note(self, dropped: int, *, before: int) -> None:
        """After each read that held messages at QoS 0.

        Args:
            dropped: how many of them were dropped.
            before: how many had been until then.
        """
        if dropped:
            self._since = self._since if self._full else before
            self._full.begin(
                waiting_bytes=MAX_UNBOUNDED_BYTES,
                note="messages at QoS 0 are dropped and counted until Kafka takes those that wait; "
                "publish at QoS 1 to lose none",
            )
        else:
            self._full.end(dropped=before - self._since)
