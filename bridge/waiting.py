"""The loads that wait for Kafka: no more than a window of them, however long it is away."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from bridge.load import Load

if TYPE_CHECKING:
    from bridge.client import Arrivals
    from bridge.frames import Frame

MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
MAX_BATCH_MESSAGES: Final = 65_535
"""No window is larger (MQTT 5.0, section 3.1.2.11.3), but not every broker keeps to it, and the
position record of a batch must stay below what Kafka takes."""
MAX_UNBOUNDED_BYTES: Final = 16 * 1024 * 1024
"""How much may wait of what came at QoS 0, which no Receive Maximum bounds (section 4.9)."""


class Waiting:
    """Loads in arrival order; whoever shares one between threads locks it.

    A broker that does not get PUBACKs sends its window again on each connection. What of that is
    here already is not taken again, and what only says so is forgotten with its connection.
    """

    def __init__(self) -> None:
        self._loads: deque[tuple[float, Load]] = deque()
        self._taken: list[Load] = []
        self._connection = 0
        self._unbounded = 0
        self._here: set[tuple[bytes, bytes, int]] = set()

    def __len__(self) -> int:
        return len(self._loads)

    @property
    def since(self) -> float:
        """When the oldest came; there must be one."""
        return self._loads[0][0]

    @property
    def proof(self) -> bool:
        """Whether a proof waits (`Pump.prove`)."""
        return any(load.proof for _came, load in self._loads)

    def connected(self, connection: int) -> None:
        """To be told of each read before it is added: with a new connection an old one has ended.

        Args:
            connection: that the read came over.
        """
        if connection <= self._connection:
            return
        self._connection = connection
        kept: list[tuple[float, Load]] = []
        ended: list[Load] = []
        for came, load in self._loads:
            if load.frames or load.proof:
                kept.append((came, load))
            else:
                ended.append(load)
        if ended:
            kept.insert(0, (self.since, _only_counted(ended)))
        self._loads = deque(kept)
        loads = [*self._taken, *(load for _came, load in self._loads)]
        self._here = {frame[:3] for load in loads for frame in load.frames if frame.mid}

    def admit(self, frames: list[Frame]) -> list[Frame]:
        """The frames that are not here from an earlier connection.

        Kafka has the others, or they come to it before these: nothing that is here is given up.

        Args:
            frames: of the newest connection.
        """
        return [frame for frame in frames if not (frame.duplicate and frame[:3] in self._here)]

    def within_bounds(self, arrivals: Arrivals) -> Arrivals:
        """The arrivals without those at QoS 0, if too much of that waits."""
        if self._unbounded < MAX_UNBOUNDED_BYTES:
            return arrivals
        return arrivals._replace(frames=[frame for frame in arrivals.frames if frame.mid])

    def add(self, came: float, load: Load) -> None:
        """Let a load wait.

        Args:
            came: seconds of the monotonic clock.
            load: made of what `within_bounds` gave.
        """
        self._loads.append((came, load))
        self._unbounded += load.unbounded

    def take(self) -> list[Load]:
        """The oldest loads, up to what makes a batch."""
        taken: list[Load] = []
        size = count = 0
        while self._loads and size < MAX_BATCH_BYTES and count < MAX_BATCH_MESSAGES:
            _came, load = self._loads.popleft()
            size += load.size
            count += load.messages
            self._unbounded -= load.unbounded
            taken.append(load)
        self._taken = taken
        return taken


def _only_counted(ended: list[Load]) -> Load:
    """What is left of loads whose connection has ended and that bring nothing new."""
    return Load(
        connection=ended[0].connection,
        messages=sum(load.messages for load in ended),
        mids=[],
        stale=sum(load.stale + len(load.mids) for load in ended),
        duplicates=sum(load.duplicates for load in ended),
        suppressed=sum(load.suppressed for load in ended),
        frames=[],
        readings=[],
        letters=[],
        marks=[],
        size=0,
        unbounded=0,
    )
