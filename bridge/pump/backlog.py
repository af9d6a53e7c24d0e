"""The loads that wait for Kafka: no more than a window of them, however long it is away."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from bridge.pump.load import Load, split
from bridge.records import MAX_LINES
from isotherm.log import Problem

if TYPE_CHECKING:
    from bridge.mqtt.client import Arrivals
    from bridge.mqtt.framing import Frame
    from isotherm.log import Log

MAX_BATCH_BYTES: Final = 24 * 1024 * 1024
"""As `bridge.pump.load.Load.weight` counts; 20,000 usual readings and some more. It also keeps a
transaction below the queues of the Kafka clients, 2,000,000 records and 1 GB."""
MAX_BATCH_MESSAGES: Final = 65_535
"""No window is larger (MQTT 5.0, section 3.1.2.11.3), but not every broker keeps to it."""
MAX_UNBOUNDED_BYTES: Final = 16 * 1024 * 1024
"""How much may wait of what came at QoS 0, which no Receive Maximum bounds (section 4.9)."""
_SLACK: Final = 1.25


class Backlog:
    """Loads in arrival order; whoever shares one between threads locks it.

    A broker that does not get PUBACKs sends its window again on each connection. What of that is
    here already is not taken again; a load that holds nothing else ends with its connection.

    Args:
        max_lines: as the loads are prepared with.
    """

    def __init__(self, max_lines: int = MAX_LINES) -> None:
        self._max_lines = max_lines
        self._loads: deque[tuple[float, Load]] = deque()
        self._taken: list[tuple[float, Load]] = []
        self._out = False
        self._connection = 0
        self._weight = 0
        self._unbounded = 0
        self._here: set[tuple[bytes, bytes, int]] = set()

    def __len__(self) -> int:
        return len(self._loads)

    @property
    def weight(self) -> int:
        """Of all that is here: what waits, and what is being delivered."""
        return self._weight

    @property
    def since(self) -> float:
        """When the oldest came; there must be one."""
        return self._loads[0][0]

    @property
    def proof(self) -> bool:
        """Whether a proof waits (`Pump.prove`)."""
        return any(load.proof for _came, load in self._loads)

    @property
    def unacknowledgeable(self) -> int:
        """How many messages at QoS 0 are here, which nobody has but us."""
        out = self._taken if self._out else []
        loads = [load for _came, load in (*out, *self._loads)]
        return sum(load.messages - len(load.mids) - load.stale for load in loads)

    def connected(self, connection: int) -> None:
        """To be called for each read before it is added: a new connection ends the old one.

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
                self._weight -= load.weight
        if ended:
            kept.insert(0, (self.since, _only_counted(ended)))
        self._loads = deque(kept)
        loads = [load for _came, load in (*self._taken, *self._loads)]
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
        self._weight += load.weight
        self._unbounded += load.unbounded

    def take(self, most: int = MAX_BATCH_BYTES) -> list[Load]:
        """The oldest loads, up to what makes a batch; those taken before are delivered.

        Args:
            most: their weight; a little more if they need not be split for it, and what one message
                has in any case.
        """
        self.finished()
        taken: list[tuple[float, Load]] = []
        weight = count = 0
        while self._loads and weight < most and count < MAX_BATCH_MESSAGES:
            came, load = self._loads.popleft()
            if weight + load.weight > most * _SLACK and len(load.frames) > 1:
                load, rest = split(load, most - weight, self._max_lines)
                self._loads.appendleft((came, rest))
            weight += load.weight
            count += load.messages
            self._unbounded -= load.unbounded
            taken.append((came, load))
        self._taken, self._out = taken, True
        return [load for _came, load in taken]

    def finished(self) -> None:
        """What was taken is delivered."""
        if self._out:
            self._weight -= sum(load.weight for _came, load in self._taken)
        self._out = False

    def put_back(self) -> None:
        """What was taken is not delivered, and is to be taken again, perhaps less at a time."""
        self._loads.extendleft(reversed(self._taken))
        self._unbounded += sum(load.unbounded for _came, load in self._taken)
        self._taken, self._out = [], False


class Overflow:
    """Says when messages at QoS 0 begin to be dropped, and when they are taken again.

    Args:
        log: gets a line when it begins and when it ends.
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
        weight=0,
        unbounded=0,
    )
