"""The outbox: what the probes gave and the broker has not acknowledged yet.

An entry gets its name, (guid, epoch, seq), when it comes; it is sent when it is committed, the last
ticks first and the backlog beside them, and deleted after its PUBACK.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from edge_agent.clock import Timeline
from edge_agent.dispatch import Dispatch
from edge_agent.dropper import Dropper
from edge_agent.entry import Lost
from edge_agent.held import Span
from edge_agent.keeper import Keeper
from edge_agent.lanes import LIVE_ROWS, Lanes
from edge_agent.names import Names
from edge_agent.ranges import spans
from edge_agent.twin import Twin
from isotherm.contract.fields import is_guid
from isotherm.log import Problems
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from edge_agent.batch import Batch
    from edge_agent.clock import BoardClock
    from edge_agent.depot import Opened
    from edge_agent.entry import Entry
    from edge_agent.held import Key
    from edge_agent.mqtt.message import Fate, Message
    from edge_agent.overflow import Overflow
    from edge_agent.room import Bounds
    from edge_agent.sample import Sample
    from edge_agent.stamper import Stamper
    from edge_agent.writer import Outcome
    from isotherm.contract.fields import Clock as Trust
    from isotherm.log import Log
    from isotherm.mqtt.status import Mark

NO_CLOCK: Final = "the clock is not in sync: readings wait for it"
FILE_LOST: Final = "file_lost"
"""The reason of the gaps for what was lost with the outbox's file."""
OLD_CLOCK: Final = "the clock is not in sync: readings say so"
LOOK: Final = 1.0
"""Seconds between two looks at a clock that is waited for."""


class Outbox:
    """A source for the publisher; `put` samples, and `turn` it in the main loop.

    Before anything is sent over a connection, tell it what the retained status says (`seen`).

    Args:
        path: of the file.
        destination: whom the readings are for.
        board: see `edge_agent.epoch.board_identity`.
        bounds: how much it may hold.
        overflow: what is dropped beyond that.
        log: gets one line when a state begins and one when it ends.
        clock: of the board.
        wait: seconds for which readings wait for the clock.
        interval: seconds between two commits.
        rate: readings of the backlog per second.
        boot: this start of the board.
        monotonic: seconds.
        tasks: the program's background threads; its own where there are none.

    Raises:
        OutboxInUseError: another agent has the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        destination: str,
        board: str,
        bounds: Bounds,
        overflow: Overflow,
        log: Log,
        clock: BoardClock,
        wait: float,
        interval: float,
        rate: float,
        boot: str,
        monotonic: Callable[[], float] = time.monotonic,
        tasks: Tasks | None = None,
    ) -> None:
        self._log = log
        self._troubles = Problems(log, "readings")
        self._names = Names(board)
        self._boot = boot
        self._timeline = Timeline(clock, boot=self._boot, offsets={}, wait=wait)
        # Named, and neither committed nor to be sent yet.
        self._fresh: dict[int, Entry] = {}
        self._rows = 0
        # What was lost with a file, and is to be declared.
        self._lost: dict[Key, Span] = {}
        self._keeper = keeper = Keeper(
            path,
            log=log,
            interval=interval,
            clock=monotonic,
            reopened=self._adopt,
            released=self._release,
            ours=self._names.wrote,
            moved=self._move,
            recovered=self._recover,
            tasks=tasks or Tasks(log),
        )
        self._lanes = lanes = Lanes(
            keeper.read, self._timeline, destination=destination, rate=rate, clock=monotonic
        )
        lanes.blocked = keeper.pending
        self._dropper = Dropper(
            keeper,
            lanes,
            bounds=bounds,
            overflow=overflow,
            troubles=self._troubles,
            new_id=self._new_id,
        )
        self._dispatch = Dispatch(
            keeper, lanes, self._dropper, troubles=self._troubles, log=log, clock=monotonic
        )
        self._dispatch.lost = self._lose
        self._twin = Twin(
            self._names,
            keeper=keeper,
            lanes=lanes,
            dispatch=self._dispatch,
            dropper=self._dropper,
            log=log,
        )
        keeper.open()

    @property
    def mark(self) -> Mark:
        """What the retained status shall say; all of it is committed."""
        return self._names.mark

    @property
    def lives(self) -> tuple[str, ...]:
        """The runs of the agent that used this outbox, as far as it remembers them."""
        return self._names.lives

    @property
    def rows(self) -> int:
        """Entries that wait, on disk or in memory, those on their way included."""
        return self._rows - self._dispatch.settled - self._keeper.wrong

    @property
    def commits(self) -> int:
        """How often something was committed."""
        return self._keeper.commits

    @property
    def in_memory(self) -> bool:
        """Whether readings go on in memory, as the disk does not serve."""
        return not self._keeper.safe

    @property
    def fates(self) -> dict[Fate, int]:
        """What became of readings that were sent."""
        return self._dispatch.fates

    @property
    def dropped(self) -> int:
        """Readings that were dropped for want of room."""
        return self._dropper.dropped

    @property
    def aside(self) -> int:
        """Readings that are not sent until the next start, as they alone are refused."""
        return self._dispatch.aside

    @property
    def trust(self) -> Trust:
        """What a reading of this moment says of the clock, once it is sent."""
        return self._timeline.trust

    @property
    def unsent(self) -> int:
        """Entries of the last ticks, and those on their way."""
        return len(self._dispatch.flying) + len(self._lanes.live) + len(self._fresh)

    @property
    def lost_at_end(self) -> int:
        """Entries that are lost if the process ends now: neither acknowledged nor on disk."""
        keeper = self._keeper
        return len(keeper.shelf) + keeper.uncommitted + keeper.stranded

    def fits(self, largest: Callable[[], int]) -> None:
        """Let it ask for the largest payload that the broker takes, bytes."""
        self._dispatch.largest = largest

    def fileno(self) -> int:
        """Readable when `turn` has something to do."""
        return self._keeper.fileno()

    def put(self, samples: Iterable[Sample]) -> None:
        """Name what the probes gave, and take it in."""
        synced = self._look()
        keeper = self._keeper
        names = self._names.stamper(safe=keeper.safe)
        taken = [
            names.stamp(sample, id=self._new_id(), boot=self._boot, synced=synced)
            for sample in map(self._timeline.right, samples)
        ]
        if taken and self._lost:
            taken += self._declare(names, taken[-1])
        for entry in taken:
            if keeper.safe:
                keeper.batch.entries[entry.id] = self._fresh[entry.id] = entry
                keeper.batch.seqs[entry.guid] = entry.seq
            else:
                keeper.shelf[entry.id] = entry
        if not taken:
            return
        self._rows += len(taken)
        if not keeper.safe:
            self._lanes.add_live(taken, most=len(keeper.shelf) + LIVE_ROWS)
        self._rows += self._dropper.make_room(self.rows, names, now=taken[-1], fresh=self._fresh)

    def turn(self, now: float) -> float:
        """Commit what is to be committed; never blocks.

        Args:
            now: seconds of the monotonic clock.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        waits = [self._keeper.turn(now)]
        self._twin.turn()
        if self._timeline.waiting:
            self._look()
            waits.append(LOOK)
        waits += self._dispatch.waits
        return min((wait for wait in waits if wait > 0), default=0.0)

    def next(self) -> Message | None:
        """The next message; None where nothing may be sent now."""
        return None if self._twin.found else self._dispatch.next()

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        """What became of a message; `reason` says why it was refused."""
        self._dispatch.settle(message, fate, reason)

    def too_large(self, message: Message, reason: str) -> None:
        """Settle a message that is larger than the broker takes: its entries go in smaller ones."""
        self._dispatch.too_large(message, reason)

    def note(self, name: str, value: str) -> None:
        """Keep a fact in the file, with the next commit; see `edge_agent.mqtt.broker.note`."""
        self._keeper.batch.facts[name] = value

    def seen(self, status: Mark | None) -> None:
        """What the retained status says, None where there is none: whether our names are ours."""
        self._twin.seen(status)

    def stop(self) -> None:
        """Send no more of the backlog, and commit at once what still comes."""
        self._dispatch.stopping = True
        self._keeper.hurry()

    def close(self, timeout: float = 1.0) -> None:
        """Commit, for so many seconds at most, and close the file."""
        self._keeper.close(timeout)

    def _new_id(self) -> int:
        number = self._keeper.batch.facts["last_id"] = self._names.new_id()
        return number

    def _look(self) -> bool:
        timeline = self._timeline
        synced = timeline.look()
        if self._boot in timeline.offsets:
            return synced
        if timeline.noted is not None:
            self._troubles.end(NO_CLOCK)
            self._troubles.end(OLD_CLOCK)
            self._keeper.batch.offsets[self._boot] = timeline.noted
            if not self._keeper.safe:
                timeline.keep()
        elif timeline.waiting:
            self._troubles.begin(NO_CLOCK)
        else:
            self._troubles.end(NO_CLOCK)
            self._troubles.begin(OLD_CLOCK)
        return synced

    def _declare(self, names: Stamper, now: Entry) -> list[Entry]:
        """Gaps for what was lost with a file."""
        lost, self._lost = self._lost, {}
        return [
            names.gap(
                now._replace(guid=guid, state=span.state or now.state),
                Lost(epoch, span.first, span.last, span.rows, FILE_LOST),
                id=self._new_id(),
            )
            for (guid, epoch), span in lost.items()
            if is_guid(guid)
        ]

    def _move(self, batch: Batch) -> None:
        """Another file follows the one that was lost: it shall know what memory knows."""
        names = self._names.stamper(safe=True)
        batch.seqs.update(names.seqs)
        batch.facts.update(self._names.facts())
        batch.offsets.update(self._timeline.offsets)
        settled = set(batch.gone)
        batch.entries.update(
            (entry.id, entry)
            for entry in self._lanes.live
            if entry.id not in settled and entry.id not in batch.entries
        )
        batch.known = {*batch.entries, *settled, *self._dispatch.flying}

    def _recover(self, outcome: Outcome, rows: int) -> None:
        """All that could be had is in the new file: count what it has, and what is lost."""
        keeper = self._keeper
        # Those that memory alone has now; what the batch wrote is among the rows.
        missing = set(outcome.missing) - outcome.batch.entries.keys()
        before = outcome.batch.before
        sent = self._dispatch.without_rows(
            missing, lambda number: before is not None and not before.names(number)
        )
        settled = sum(number not in missing for number in keeper.batch.gone)
        beside = len(keeper.batch.entries.keys() | keeper.shelf.keys()) - settled
        self._rows = rows + beside + sent + self._dispatch.settled + keeper.wrong
        lost = sum(span.rows for span in outcome.lost.values())
        if not lost:
            self._log.info("no reading was lost with the outbox's file", taken_over=outcome.taken)
            return
        self._dropper.dropped += lost
        for key, span in outcome.lost.items():
            self._note_lost(key, span)
        self._log.error(
            "readings were lost with the outbox's file: they are declared as gaps",
            readings=lost,
            taken_over=outcome.taken,
        )

    def _lose(self, lines: list[bytes], count: int) -> None:
        """Readings came back undelivered, and their rows were lost with the file meanwhile."""
        self._rows -= count
        if not lines:
            return
        for line in lines:
            wire = json.loads(line)
            origin = wire["origin"]
            span = Span(wire["state"], 1, origin["seq"], origin["seq"])
            self._note_lost((wire["guid"], origin["epoch"]), span)
        self._dropper.dropped += len(lines)
        self._log.error(
            "readings that came back were lost with the outbox's file: they are declared as gaps",
            readings=len(lines),
        )

    def _note_lost(self, key: Key, span: Span) -> None:
        self._lost[key] = span if key not in self._lost else self._lost[key].joined(span)

    def _release(self, batch: Batch) -> None:
        """Entries are committed: from now on they may be sent."""
        self._names.committed_id = int(batch.facts.get("last_id", self._names.committed_id))
        if self._boot in batch.offsets:
            self._timeline.keep()
        fresh = [self._fresh.pop(n) for n in sorted(batch.entries) if n in self._fresh]
        self._lanes.backlog.update(sorted(n for n in batch.entries if self._dropper.is_open(n)))
        if self._keeper.safe and not self._timeline.waiting:
            self._lanes.add_live(fresh)
        else:
            self._lanes.backlog.update(entry.id for entry in fresh)
        self._dropper.measure(self.rows)

    def _adopt(self, opened: Opened) -> None:
        """Go on with what was opened: at the start, and after the file had to be opened anew."""
        names, batch, saved = self._names, self._keeper.batch, opened.saved
        known, epoch = names.committed_id, names.stamper(safe=True).epoch
        if not names.adopt(opened):
            return
        flying = self._rejoin(known, epoch) if names.rejoined else 0
        if names.moved:
            self._log.warning("the outbox was another board's: a new epoch begins")
        batch.fresh = names.begins
        batch.facts.update(names.facts())
        self._timeline.offsets = {**saved.offsets, **self._timeline.offsets}
        batch.offsets.update(self._timeline.offsets)
        backlog = self._lanes.backlog
        backlog.clear()
        if saved.rows:
            backlog.add(saved.first_id, saved.last_id)
        for number in self._dispatch.elsewhere:
            backlog.remove(number, number)
        rows = saved.rows + self.lost_at_end
        for first, last in spans(self._keeper.to_delete):
            rows -= len(self._keeper.read(first, last, last - first + 1) or ())
            backlog.remove(first, last)
        self._dropper.seal_all()
        self._rows = rows + flying + self._dispatch.settled + self._keeper.wrong
        self._twin.look()

    def _rejoin(self, known: int, epoch: str) -> int:
        """Another life went on with our file: what we did not commit has names that it gave too.

        Args:
            known: the last id that we committed.
            epoch: of the disk, until now.

        Returns:
            How many entries are on their way whose rows are gone: the other life sent them.
        """
        keeper, dispatch = self._keeper, self._dispatch
        disk, by = self._names.stamper(safe=True), max(0, self._names.committed_id - known)

        def name(entry: Entry) -> Entry:
            if entry.epoch != epoch:
                return entry
            return entry._replace(epoch=disk.epoch, seq=disk.next(entry.guid))

        self._lanes.add_live(self._dropper.memory_gaps.clear(), most=len(keeper.shelf) + LIVE_ROWS)
        # What is committed is in the file, unless the other life sent it.
        live = [entry for entry in self._lanes.live if entry.id in keeper.shelf]
        fresh = {number + by if number > known else number for number in self._fresh}
        keeper.renumber(known, by)
        keeper.restamp(known, name)
        dispatch.renumber(known, by)
        self._lanes.live.clear()
        self._lanes.live.extend(entry._replace(id=entry.id + by) for entry in live)
        waiting = {**keeper.batch.entries, **keeper.under_way}
        self._fresh = {number: waiting[number] for number in fresh if number in waiting}
        self._log.warning("another agent used the outbox meanwhile: what it left is taken in")
        missing = {n for n in dispatch.flying if n <= known and not keeper.read(n, n, 1)}
        return dispatch.without_rows(missing, lambda _: True)
