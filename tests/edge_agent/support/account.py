"""What an agent committed, against what came of it; and how a test runs one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from edge_agent.mqtt.publisher import WINDOW
from tests.edge_agent.support.simulated_board import Arrivals, Name, SimulatedBoard
from tests.support import Program, await_true, program

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.edge_agent.support.subscriber import Subscriber


def agent(board: SimulatedBoard) -> AbstractContextManager[Program]:
    return program("edge_agent", *board.run)


def more(subscriber: Subscriber, payloads: int) -> None:
    """Wait for so many more than there are."""
    wanted = len(subscriber.payloads) + payloads
    subscriber.wait(lambda found: len(found) >= wanted)


class Account:
    """What was committed, against what came.

    Args:
        board: whose.
        subscriber: to its readings.
    """

    def __init__(self, board: SimulatedBoard, subscriber: Subscriber) -> None:
        self.board = board
        self.rows: dict[Name, float] = {}
        self._subscriber = subscriber
        self._came = Arrivals()
        self._taken = 0
        self._doubled = [0]

    @property
    def came(self) -> Arrivals:
        fresh = self._subscriber.payloads[self._taken :]
        self._taken += len(fresh)
        self._came.add(fresh)
        return self._came

    def count(self) -> None:
        """A fault is over, or the next one begins: its doubles have come."""
        self._doubled.append(self.came.doubled)

    def look(self) -> None:
        """Note what waits, while no agent runs, and count."""
        self.rows |= self.board.disk().rows
        self.count()

    def settle(self, what: str, report: Callable[[str], None]) -> Arrivals:
        """Once the agent has ended: all that is not on disk any more comes, and as it was."""
        disk = self.board.disk()
        wanted = (disk.named | self.rows.keys()) - disk.rows.keys()
        try:
            await_true(lambda: wanted <= self.came.times.keys(), "all that was committed", 20)
        finally:
            came = self.came
            self.count()
            most = max(after - before for before, after in pairwise(self._doubled))
            lost = len(wanted - came.times.keys())
            other = came.clashes + came.false(self.rows)
            report(
                f"{what}: {len(came.times)} readings, lost {lost}, doubled {came.doubled}, "
                f"{most} at a time at most, other content {other}"
            )
        assert other == 0, what
        assert most <= WINDOW, what
        return came
