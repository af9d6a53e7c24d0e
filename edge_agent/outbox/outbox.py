"""The outbox: what the probes gave and the broker has not acknowledged yet.

An entry gets its name, (guid, epoch, seq), when it comes; it is sent when it is committed, the last
ticks first and the backlog beside them, and deleted after its PUBACK.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from edge_agent.outbox.clock import Timeline
from edge_agent.outbox.clone import Clone
from edge_agent.outbox.delivery import Delivery
from edge_agent.outbox.entry import Entry, Lost
from edge_agent.outbox.identity import Identity
from edge_agent.outbox.overflow.eviction import Eviction
from edge_agent.outbox.scheduler import LIVE_ROWS, Scheduler
from edge_agent.outbox.storage.id_ranges import spans
from edge_agent.outbox.storage.persistence import Hooks, Persistence
from edge_agent.outbox.storage.row_counts import Span
from edge_agent.outbox.storage.write_queue import Memory
from isotherm.contract.fields import is_guid
from isotherm.log import Problems
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edge_agent.mqtt.message import Fate, Message
    from edge_agent.outbox.clock import BoardClock
    from edge_agent.outbox.delivery import LostInFlight
    from edge_agent.outbox.identity import Stamper
    from edge_agent.outbox.options import Options
    from edge_agent.outbox.storage.committer import Outcome
    from edge_agent.outbox.storage.database import Batch
    from edge_agent.outbox.storage.recovery import Opened
    from edge_agent.outbox.storage.row_counts import Key
    from edge_agent.sampling.sample import Sample
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

    Before anything is sent over a connection, say what the retained status says (`seen`).

    Args:
        options: see there.
        clock: of the board.
        log: gets one line when a state begins and one when it ends.
        tasks: the program's background threads; its own where there are none.
        monotonic: seconds.

    Raises:
        OutboxInUseError: another agent has the file.
    """

    def __init__(
        self,
        options: Options,
        *,
        clock: BoardClock,
        log: Log,
        tasks: Tasks | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._clock = clock
        self._boot = options.boot
        self._troubles = troubles = Problems(log, "readings")
        self._identity = Identity(options.board)
        self._timeline = Timeline(clock, boot=options.boot, wait=options.wait)
        # Named, and neither committed nor to be sent yet.
        self._fresh: dict[int, Entry] = {}
        self._rows = 0
        # What was lost with a file, and is to be declared.
        self._lost: dict[Key, Span] = {}
        hooks = Hooks(
            opened=self._adopt,
            committed=self._release,
            is_ours=self._identity.wrote,
            memory=self._memory,
            recovered=self._recover,
        )
        self._storage = Persistence(
            options.path,
            hooks,
            interval=options.interval,
            tasks=tasks or Tasks(log),
            log=log,
            clock=monotonic,
        )
        self._queue = self._storage.queue
        self._scheduler = Scheduler(
            self._storage,
            self._timeline,
            destination=options.destination,
            rate=options.rate,
            clock=monotonic,
        )
        self._eviction = Eviction(
            self._storage,
            self._scheduler,
            bounds=options.bounds,
            troubles=troubles,
            new_id=self._new_id,
        )
        self._delivery = Delivery(
            self._queue,
            self._scheduler,
            self._eviction,
            troubles=troubles,
            log=log,
            clock=monotonic,
        )
        self._clone = Clone(self._identity, self._storage, log)
        self._storage.open()

    @property
    def mark(self) -> Mark:
        """What the retained status shall say; all of it is committed."""
        return self._identity.mark

    @property
    def lives(self) -> tuple[str, ...]:
        """The runs of the agent that used this outbox, as far as it remembers them."""
        return self._identity.lives

    @property
    def rows(self) -> int:
        """Entries that wait, on disk or in memory, those on their way included."""
        return self._rows - self._delivery.settled - self._storage.damaged

    @property
    def commits(self) -> int:
        """How often something was committed."""
        return self._storage.commits

    @property
    def in_memory(self) -> bool:
        """Whether readings go on in memory, as the disk does not serve."""
        return not self._queue.safe

    @property
    def fates(self) -> Mapping[Fate, int]:
        """What became of readings that were sent."""
        return self._delivery.fates

    @property
    def dropped(self) -> int:
        """Readings that were dropped for want of room, or lost with a file."""
        return self._eviction.dropped

    @property
    def aside(self) -> int:
        """Readings that are not sent until the next start, as they alone are refused."""
        return self._delivery.aside

    @property
    def trust(self) -> Trust:
        """What a reading of this moment says of the clock, once it is sent."""
        return self._timeline.trust

    @property
    def unsent(self) -> int:
        """Entries of the last ticks, and those on their way."""
        return len(self._delivery.in_flight) + self._scheduler.live_count + len(self._fresh)

    @property
    def lost_at_end(self) -> int:
        """Entries that are lost if the process ends now: neither acknowledged nor on disk."""
        return self._queue.at_risk + self._storage.stranded

    def fits(self, largest: Callable[[], int]) -> None:
        """Let it ask for the largest payload that the broker takes, bytes."""
        self._delivery.limit_payload(largest)

    def fileno(self) -> int:
        """Readable when `turn` has something to do."""
        return self._storage.fileno()

    def put(self, samples: Iterable[Sample]) -> None:
        """Name what the probes gave, and take it in."""
        synced = self._look()
        names, new_id, boot = self._names(), self._identity.new_id, self._boot
        taken = [
            names.stamp(sample, id=new_id(), boot=boot, synced=synced)
            for sample in map(self._timeline.right, samples)
        ]
        if taken:
            self._take_in(taken, names)

    def turn(self, now: float) -> float:
        """Commit what is to be committed; never blocks.

        Args:
            now: seconds of the monotonic clock.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        waits = [self._storage.turn(now)]
        self._leave_epoch()
        if self._timeline.waiting:
            self._look()
            waits.append(LOOK)
        if self._lost:
            self._declare()
            waits.append(LOOK)
        waits += self._delivery.waits
        return min((wait for wait in waits if wait > 0), default=0.0)

    def next(self) -> Message | None:
        """The next message; None where nothing may be sent now."""
        return None if self._clone.found else self._delivery.next()

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        """What became of a message; `reason` says why it was refused."""
        if (lost := self._delivery.settle(message, fate, reason)) is not None:
            self._lose(lost)

    def too_large(self, message: Message, reason: str) -> None:
        """Settle a message that is larger than the broker takes: its entries go in smaller ones."""
        if (lost := self._delivery.too_large(message, reason)) is not None:
            self._lose(lost)

    def note(self, name: str, value: str) -> None:
        """Keep a fact in the file, with the next commit; see `edge_agent.mqtt.broker.note`."""
        self._queue.note({name: value})

    def seen(self, status: Mark | None) -> None:
        """What the retained status says, None where there is none: whether our names are ours."""
        self._clone.seen(status)
        self._leave_epoch()

    def stop(self) -> None:
        """Send no more of the backlog, and commit at once what still comes."""
        self._delivery.stop_backlog()
        self._storage.flush_soon()

    def close(self, timeout: float = 1.0) -> None:
        """Commit, for so many seconds at most, and close the file."""
        self._storage.close(timeout)

    def _names(self) -> Stamper:
        return self._identity.stamper(safe=self._queue.safe)

    def _new_id(self) -> int:
        number = self._identity.new_id()
        self._queue.note({"last_id": number})
        return number

    def _take_in(self, taken: Sequence[Entry], names: Stamper) -> None:
        """Have what was named just now wait, and make room for it."""
        self._queue.note({"last_id": self._identity.last_id})
        self._queue.add(taken, names.seqs)
        self._rows += len(taken)
        if self._queue.safe:
            self._fresh.update((entry.id, entry) for entry in taken)
        else:
            self._scheduler.add_live(taken, most=self._queue.unsaved + LIVE_ROWS)
        evicted = self._eviction.make_room(self.rows, names, now=taken[-1], fresh=self._fresh)
        if evicted is not None:
            self._rows += evicted.gaps - len(evicted.readings)
            for entry in evicted.readings:
                self._fresh.pop(entry.id, None)

    def _look(self) -> bool:
        timeline = self._timeline
        synced = timeline.look()
        if self._boot in timeline.offsets:
            return synced
        if timeline.noted is not None:
            self._troubles.end(NO_CLOCK)
            self._troubles.end(OLD_CLOCK)
            self._queue.note_offsets({self._boot: timeline.noted})
            if not self._queue.safe:
                timeline.keep()
        elif timeline.waiting:
            self._troubles.begin(NO_CLOCK)
        else:
            self._troubles.end(NO_CLOCK)
            self._troubles.begin(OLD_CLOCK)
        return synced

    def _declare(self) -> None:
        """Write gaps for what was lost with a file, at once: only memory knows of it."""
        lost, self._lost = self._lost, {}
        names, synced = self._names(), self._look()
        wall, uptime = self._clock.wall(), self._clock.uptime()
        gaps = [
            names.gap(
                Entry(0, guid, epoch, 0, span.state, wall, uptime, self._boot, synced, None),
                Lost(epoch, span.first, span.last, span.rows, FILE_LOST),
                id=self._identity.new_id(),
            )
            for (guid, epoch), span in lost.items()
            if is_guid(guid)
        ]
        if gaps:
            self._take_in(gaps, names)

    def _memory(self) -> Memory:
        """Another file follows the one that was lost: it shall know what memory knows."""
        return Memory(
            facts=self._identity.facts(),
            seqs=self._identity.stamper(safe=True).seqs,
            offsets=self._timeline.offsets,
            entries=self._scheduler.live,
            in_flight=self._delivery.in_flight,
        )

    def _recover(self, outcome: Outcome, rows: int) -> None:
        """The file that follows has all that could be read: count it, and what is lost."""
        # Those that memory alone has now; what the batch wrote is among the rows.
        missing = set(outcome.missing) - outcome.batch.entries.keys()
        before = outcome.batch.before
        sent = self._delivery.without_rows(
            missing, lambda number: before is not None and not before.names(number)
        )
        beside = self._queue.rows_beside(missing)
        self._rows = rows + beside + sent + self._delivery.settled + self._storage.damaged
        lost = sum(span.rows for span in outcome.lost.values())
        if not lost:
            self._log.info("no reading was lost with the outbox's file", taken_over=outcome.taken)
            return
        self._eviction.count_lost(lost)
        for key, span in outcome.lost.items():
            self._note_lost(key, span)
        self._log.error(
            "readings were lost with the outbox's file: they are declared as gaps",
            readings=lost,
            taken_over=outcome.taken,
        )

    def _lose(self, lost: LostInFlight) -> None:
        """Readings came back undelivered, and their rows were lost with the file meanwhile."""
        self._rows -= lost.readings
        if not lost.lines:
            return
        for line in lost.lines:
            wire = json.loads(line)
            origin = wire["origin"]
            span = Span(wire["state"], 1, origin["seq"], origin["seq"])
            self._note_lost((wire["guid"], origin["epoch"]), span)
        self._eviction.count_lost(len(lost.lines))
        self._log.error(
            "readings that came back were lost with the outbox's file: they are declared as gaps",
            readings=len(lost.lines),
        )

    def _note_lost(self, key: Key, span: Span) -> None:
        self._lost[key] = span if key not in self._lost else self._lost[key].joined(span)

    def _release(self, batch: Batch) -> None:
        """Entries are committed: from now on they may be sent."""
        if "last_id" in batch.facts:
            self._identity.committed(int(batch.facts["last_id"]))
        if self._boot in batch.offsets:
            self._timeline.keep()
        fresh = [self._fresh.pop(n) for n in sorted(batch.entries) if n in self._fresh]
        self._scheduler.move_to_backlog(n for n in batch.entries if self._eviction.is_open(n))
        if self._queue.safe and not self._timeline.waiting:
            self._scheduler.add_live(fresh)
        else:
            self._scheduler.move_to_backlog(entry.id for entry in fresh)
        self._eviction.measure(self.rows)

    def _leave_epoch(self) -> None:
        """Where a clone of the store was found, go on in another epoch, once that can be kept."""
        if not self._clone.found:
            return
        moved = self._clone.leave_epoch(self._delivery.in_flight)
        if moved is None:
            return
        live = self._scheduler.live
        self._scheduler.replace_live(moved.get(entry.id, entry) for entry in live)
        self._eviction.seal_all()

    def _adopt(self, opened: Opened) -> None:
        """Go on with what was opened: at the start, and after the file had to be opened anew."""
        names, storage, saved = self._identity, self._storage, opened.saved
        known, epoch = names.committed_id, names.stamper(safe=True).epoch
        if not names.adopt(opened):
            return
        in_flight = self._rejoin(known, epoch) if names.rejoined else 0
        if names.moved:
            self._log.warning("the outbox was another board's: a new epoch begins")
        self._queue.begin_epoch(fresh=names.begins)
        self._queue.note(names.facts())
        self._timeline.learn(saved.offsets)
        self._queue.note_offsets(self._timeline.offsets)
        self._scheduler.set_backlog(saved.first_id, saved.last_id)
        self._scheduler.remove_from_backlog(self._delivery.beside_backlog)
        rows, to_delete = saved.rows + self.lost_at_end, self._queue.to_delete
        for first, last in spans(to_delete):
            rows -= len(storage.read(first, last, last - first + 1) or ())
        self._scheduler.remove_from_backlog(to_delete)
        self._eviction.seal_all()
        self._rows = rows + in_flight + self._delivery.settled + storage.damaged
        self._clone.look()
        self._leave_epoch()

    def _rejoin(self, known: int, epoch: str) -> int:
        """Another life went on with our file: what we did not commit has names that it gave too.

        Args:
            known: the last id that we committed.
            epoch: of the disk, until now.

        Returns:
            How many entries are on their way whose rows are gone: the other life sent them.
        """
        storage, delivery, scheduler = self._storage, self._delivery, self._scheduler
        disk, by = self._identity.stamper(safe=True), max(0, self._identity.committed_id - known)

        def name(entry: Entry) -> Entry:
            if entry.epoch != epoch:
                return entry
            return entry._replace(epoch=disk.epoch, seq=disk.next(entry.guid))

        scheduler.add_live(self._eviction.seal_unsaved(), most=self._queue.unsaved + LIVE_ROWS)
        # What is committed is in the file, unless the other life sent it.
        live = [entry for entry in scheduler.live if self._queue.is_unsaved(entry.id)]
        fresh = {number + by if number > known else number for number in self._fresh}
        self._queue.renumber(known, by)
        self._queue.restamp(known, name)
        delivery.renumber(known, by)
        scheduler.replace_live(entry._replace(id=entry.id + by) for entry in live)
        waiting = self._queue.unwritten
        self._fresh = {number: waiting[number] for number in fresh if number in waiting}
        self._log.warning("another agent used the outbox meanwhile: what it left is taken in")
        missing = {n for n in delivery.in_flight if n <= known and not storage.read(n, n, 1)}
        return delivery.without_rows(missing, lambda _: True)
