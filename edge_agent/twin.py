"""A twin of our store: found by what the retained status says, and left its epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.keeper import STALL
from isotherm.log import Problem

if TYPE_CHECKING:
    from edge_agent.dispatch import Dispatch
    from edge_agent.dropper import Dropper
    from edge_agent.keeper import Keeper
    from edge_agent.lanes import Lanes
    from edge_agent.names import Names
    from isotherm.log import Log
    from isotherm.mqtt.status import Mark

READ_ROWS: Final = 1_000


class Twin:
    """Compares with the retained status, and moves what may collide to a new epoch.

    Args:
        names: ours.
        keeper: has the entries.
        lanes: have those that are to go at once.
        dispatch: knows those that are on their way, whose names stay.
        dropper: its gaps belong to the epoch that ends.
        log: told when it happens.
    """

    def __init__(
        self,
        names: Names,
        *,
        keeper: Keeper,
        lanes: Lanes,
        dispatch: Dispatch,
        dropper: Dropper,
        log: Log,
    ) -> None:
        self._names = names
        self._keeper = keeper
        self._lanes = lanes
        self._dispatch = dispatch
        self._dropper = dropper
        self._log = log
        self._forged = Problem(
            log.warning,
            "a retained status claims this outbox's epoch, and was not written with it: it is not "
            "believed; see who may publish to our status topic",
        )
        self._status: tuple[Mark | None] | None = None
        self.found = False
        """Whether nothing may be sent, since it is still to be moved."""

    def seen(self, status: Mark | None) -> None:
        """What the retained status says; None where there is none."""
        self._status = (status,)
        self.look()

    def look(self) -> None:
        """Compare with what was seen last: a store may have been opened since."""
        if self._status is None or not self._names.has_disk:
            return
        self.found = not self._names.confirm(*self._status)
        if self._names.forged:
            self._forged.begin()
        self._keeper.batch.facts.update(self._names.facts())
        self.turn()

    def turn(self) -> None:
        """Move what the broker did not confirm to be ours, if a twin was found."""
        if not self.found or not self._keeper.flush(STALL):
            return
        successor, flying = self._names.successor(), set(self._dispatch.flying)
        at = self._names.known_to + 1
        while entries := self._keeper.read(at, self._names.last_id, READ_ROWS):
            at = entries[-1].id + 1
            for entry in entries:
                if entry.id not in flying:
                    successor.move(entry)
        moved, facts = successor.moved, successor.facts(self._names)
        if not self._keeper.rename(moved.values(), successor.stamper.seqs, facts):
            return
        self._names.take(successor)
        self._keeper.batch.facts.update(self._names.facts())
        self.found = False
        live = [moved.get(entry.id, entry) for entry in self._lanes.live]
        self._lanes.live.clear()
        self._lanes.live.extend(live)
        self._dropper.seal_all()
        self._log.warning(
            "another store went on with this outbox's epoch: a new one begins", moved=len(moved)
        )
