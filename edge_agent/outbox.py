"""The outbox: what the probes gave and the broker has not acknowledged yet.

This first form keeps it in memory, so that a stop or a power cut loses what is in it. It is
bounded, and what it drops is counted and told.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from edge_agent.message import Fate, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from contract.log import Log

PACKET_BYTES: Final = 65_536
"""The most that one message carries, unless a single reading is larger."""


def packets(readings: Iterable[bytes], most: int = PACKET_BYTES) -> Iterator[Message]:
    """Readings as messages, one reading per line, each message within `most` bytes."""
    chosen: list[bytes] = []
    size = 0
    for reading in readings:
        if chosen and size + 1 + len(reading) > most:
            yield Message(b"\n".join(chosen), readings=len(chosen))
            chosen, size = [], 0
        size += len(reading) + bool(chosen)
        chosen.append(reading)
    if chosen:
        yield Message(b"\n".join(chosen), readings=len(chosen))


class MemoryOutbox:
    """Messages that wait for the broker, oldest first; a source for the publisher.

    Args:
        max_rows: readings in it, those under way included; beyond that the oldest message that is
            not under way is dropped.
        log: gets one line when a state begins (dropping, nobody listening, refusals) and one when
            it ends.
    """

    def __init__(self, *, max_rows: int, log: Log) -> None:
        self._waiting: deque[Message] = deque()
        self._max_rows = max_rows
        self._log = log
        self._trouble: dict[str, int] = {}
        self.rows = 0
        self.fates = dict.fromkeys(Fate, 0)
        self.dropped = 0

    def put(self, messages: Iterable[Message]) -> None:
        """Take new messages; drops the oldest where they do not fit."""
        for message in messages:
            self._waiting.append(message)
            self.rows += message.readings
        dropped = 0
        while self.rows > self._max_rows and self._waiting:
            oldest = self._waiting.popleft()
            self.rows -= oldest.readings
            dropped += oldest.readings
        self.dropped += dropped
        self._note("the outbox is full: the oldest readings are dropped", dropped, over=False)

    def next(self) -> Message | None:
        """The oldest message that is not under way."""
        return self._waiting.popleft() if self._waiting else None

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        """What became of a message; `reason` says why it was refused."""
        rows = message.readings
        self.rows -= rows
        self.fates[fate] += rows
        self._note("the broker refuses readings", rows * (fate is Fate.REFUSED), reason=reason)
        self._note("nobody gets the readings: no subscriber", rows * (fate is Fate.UNHEARD))
        if self.rows * 2 < self._max_rows:
            self._over("the outbox is full: the oldest readings are dropped")

    def _note(self, trouble: str, rows: int, *, over: bool = True, reason: str = "") -> None:
        """Tell a trouble once when it begins, and once, with its extent, when it is over."""
        if rows:
            if trouble not in self._trouble:
                self._log.warning(trouble, **({"reason": reason} if reason else {}))
            self._trouble[trouble] = self._trouble.get(trouble, 0) + rows
        elif over:
            self._over(trouble)

    def _over(self, trouble: str) -> None:
        rows = self._trouble.pop(trouble, 0)
        if rows:
            self._log.warning("over: " + trouble, readings=rows)
