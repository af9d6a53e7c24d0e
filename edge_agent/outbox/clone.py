"""A clone of our store: found by what the retained status says, and left its epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.outbox.storage.persistence import STALL
from isotherm.log import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge_agent.outbox.entry import Entry
    from edge_agent.outbox.identity import Identity
    from edge_agent.outbox.storage.persistence import Persistence
    from isotherm.log import Log
    from isotherm.mqtt.status import Mark

READ_ROWS: Final = 1_000


class Clone:
    """Compares with the retained status, and moves what may collide to a new epoch.

    Args:
        identity: ours.
        storage: has the entries.
        log: gets a line when it happens.
    """

    def __init__(self, identity: Identity, storage: Persistence, log: Log) -> None:
        self._identity = identity
        self._storage = storage
        self._queue = storage.queue
        self._log = log
        self._forged = Problem(
            log.warning,
            "a retained status claims this outbox's epoch, and was not written with it: it is not "
            "believed; see who may publish to our status topic",
        )
        self._status: tuple[Mark | None] | None = None
        self._found = False

    @property
    def found(self) -> bool:
        """Whether nothing may be sent, since it is still to be moved."""
        return self._found

    def seen(self, status: Mark | None) -> None:
        """What the retained status says; None where there is none."""
        self._status = (status,)
        self.look()

    def look(self) -> None:
        """Compare with what was seen last: a store may have been opened since."""
        if self._status is None or not self._identity.has_disk:
            return
        self._found = not self._identity.confirm(*self._status)
        if self._identity.forged:
            self._forged.begin()
        self._queue.note(self._identity.facts())

    def leave_epoch(self, in_flight: Collection[int]) -> Mapping[int, Entry] | None:
        """Move what the broker did not confirm to be ours; wait for the disk, if it serves.

        Args:
            in_flight: ids of entries that are on their way: they keep their names.

        Returns:
            The entries that have other names now, by id; None where they are still to be moved.
        """
        if not self._found or not self._storage.flush(STALL):
            return None
        identity = self._identity
        successor, stay = identity.successor(), set(in_flight)
        at = identity.known_to + 1
        while entries := self._storage.read(at, identity.last_id, READ_ROWS):
            at = entries[-1].id + 1
            for entry in entries:
                if entry.id not in stay:
                    successor.move(entry)
        moved, facts = successor.moved, successor.facts(identity)
        if not self._storage.rename(moved.values(), successor.stamper.seqs, facts):
            return None
        identity.take(successor)
        self._queue.note(identity.facts())
        self._found = False
        self._log.warning(
            "another store went on with this outbox's epoch: a new one begins", moved=len(moved)
        )
        return moved
