"""The outbox as the publisher sees it: gives messages, and hears what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.mqtt.message import Fate, Message
from edge_agent.outbox.retry import Breaker, Refusals
from edge_agent.outbox.scheduler import PACKET_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from edge_agent.outbox.overflow.eviction import Eviction
    from edge_agent.outbox.scheduler import Flight, Scheduler
    from edge_agent.outbox.storage.write_queue import WriteQueue
    from isotherm.log import Log, Problems

UNHEARD: Final = "nobody gets the readings, no subscriber: they are kept"
REFUSED: Final = "the broker refuses readings: they are kept"
SHOWN: Final = 5
"""So many readings that are set aside have a line each; all are counted."""


class LostInFlight(NamedTuple):
    """Readings that came back undelivered, and whose rows were lost with a file meanwhile.

    Attributes:
        readings: how many.
        lines: of those of which no gap tells, as they were sent.
    """

    readings: int
    lines: list[bytes]


class Delivery:
    """What is on its way: gives the publisher its messages, and learns what became of them.

    Args:
        queue: takes the entries that are to be deleted, as they were taken.
        scheduler: chooses what goes next.
        eviction: knows the gaps that may still grow.
        troubles: gets the beginning and end of it, when nobody listens or the broker refuses.
        log: gets a line for a reading that is set aside.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        queue: WriteQueue,
        scheduler: Scheduler,
        eviction: Eviction,
        *,
        troubles: Problems,
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._scheduler = scheduler
        self._eviction = eviction
        self._troubles = troubles
        self._log = log
        self._flights: dict[int, Flight] = {}
        self._tag = 0
        self._breaker = Breaker(clock)
        self._refusals = Refusals(clock)
        # On their way, and in no file any more: whether a gap tells of them already.
        self._rowless: dict[int, bool] = {}
        self._largest: Callable[[], int] = lambda: PACKET_BYTES
        self._fates = dict.fromkeys(Fate, 0)
        self._aside = 0
        self._settled = 0
        self._live_only = False

    @property
    def fates(self) -> Mapping[Fate, int]:
        """What became of readings that were sent."""
        return self._fates

    @property
    def aside(self) -> int:
        """Readings that were set aside, as they alone are refused."""
        return self._aside

    @property
    def settled(self) -> int:
        """Entries that were taken, and whose rows are deleted with the next commits."""
        return self._settled

    def limit_payload(self, largest: Callable[[], int]) -> None:
        """Have it ask for the largest payload that the broker takes, bytes."""
        self._largest = largest

    def stop_backlog(self) -> None:
        """Send no more of the backlog."""
        self._live_only = True

    @property
    def waits(self) -> tuple[float, ...]:
        """Seconds until something may be sent that may not now; 0 for what time does not change."""
        return self._breaker.wait(), self._refusals.wait, self._scheduler.wait

    @property
    def in_flight(self) -> list[int]:
        """Ids of the entries that are on their way."""
        return [number for flight in self._flights.values() for number in flight.ids]

    @property
    def beside_backlog(self) -> list[int]:
        """Ids of the entries that wait, or are on their way, and are not in the backlog."""
        live = [entry.id for entry in self._scheduler.live]
        return [*self.in_flight, *self._refusals.ids, *live]

    def without_rows(self, ids: Collection[int], declared: Callable[[int], bool]) -> int:
        """These ids are in no file any more; how many of them are on their way.

        Args:
            ids: of the rows that are lost.
            declared: whether a gap tells of one already.
        """
        self._rowless = {
            # What was lost before is in no account of this time.
            number: self._rowless[number] if number in self._rowless else declared(number)
            for number in set(ids).intersection(self.in_flight)
        }
        return len(self._rowless)

    def renumber(self, beyond: int, by: int) -> None:
        """Entries that are on their way and beyond an id have a higher one now."""
        self._flights = {
            tag: flight._replace(ids=[n + by if n > beyond else n for n in flight.ids])
            for tag, flight in self._flights.items()
        }

    def next(self) -> Message | None:
        """The next message; None where nothing may be sent now."""
        if not self._breaker.lets(len(self._flights)):
            return None
        if not self._queue.safe and not self._scheduler.live_count:
            self._scheduler.add_live(self._eviction.seal_unsaved())
        most = max(1, min(PACKET_BYTES, self._largest()))
        found = self._scheduler.next(most, backlog=not self._live_only) or self._next_refused(most)
        if found is None:
            return None
        payload, flight = found
        self._eviction.seal(flight.ids)
        self._tag += 1
        self._flights[self._tag] = flight
        return Message(payload, self._tag, readings=len(flight.ids))

    def settle(self, message: Message, fate: Fate, reason: str) -> LostInFlight | None:
        """What became of a message; `reason` says why it was refused.

        Returns:
            What is lost with it, if anything is.
        """
        flight = self._land(message)
        self._fates[fate] += message.readings
        if fate is Fate.DELIVERED:
            if self._rowless:
                self._forget_rowless(flight)
            self._delivered(flight)
            return None
        flight, lost = self._give_up_rowless(message, flight)
        self._breaker.kept()
        on_disk = self._put_back(flight)
        if fate is Fate.UNHEARD:
            self._troubles.begin(UNHEARD, message.readings)
            self._refusals.kept(again=flight.suspect)
            self._scheduler.move_to_backlog(on_disk)
        else:
            self._troubles.begin(REFUSED, message.readings, reason=reason)
            self._refused(on_disk, flight, reason)
        return lost

    def too_large(self, message: Message, reason: str) -> LostInFlight | None:
        """The broker takes no packet so large; that holds nothing else up. Returns as `settle`."""
        flight = self._land(message)
        self._refusals.kept(again=flight.suspect)
        flight, lost = self._give_up_rowless(message, flight)
        if len(flight.ids) == message.readings == 1:
            # What is in memory only stays there, and is written with its reason.
            self._fates[Fate.REFUSED] += 1
            self._set_aside(flight.ids[0], reason)
            return lost
        on_disk = self._put_back(flight)
        if on_disk and (flight.backfill or not self._scheduler.take_back(on_disk)):
            self._scheduler.move_to_backlog(on_disk)
        return lost

    def _land(self, message: Message) -> Flight:
        flight = self._flights.pop(message.tag)
        self._scheduler.landed(flight)
        return flight

    def _give_up_rowless(
        self, message: Message, flight: Flight
    ) -> tuple[Flight, LostInFlight | None]:
        """What comes back, and could not be sent again: its row was lost with a file."""
        if self._rowless.keys().isdisjoint(flight.ids):
            return flight, None
        lines = zip(flight.ids, message.payload.split(b"\n"), strict=True)
        undeclared = [line for number, line in lines if not self._rowless.get(number, True)]
        kept = [number for number in flight.ids if number not in self._rowless]
        self._forget_rowless(flight)
        return flight._replace(ids=kept), LostInFlight(len(flight.ids) - len(kept), undeclared)

    def _forget_rowless(self, flight: Flight) -> None:
        for number in flight.ids:
            self._rowless.pop(number, None)

    def _put_back(self, flight: Flight) -> list[int]:
        """What is in memory only goes first again; the ids of the rest."""
        unsaved, on_disk = self._queue.part(flight.ids)
        self._scheduler.put_back(unsaved)
        return on_disk

    def _delivered(self, flight: Flight) -> None:
        self._breaker.delivered()
        self._refusals.delivered(flight.ids, again=flight.suspect)
        self._troubles.end(UNHEARD)
        if not self._refusals.ids:
            self._troubles.end(REFUSED)
        self._queue.remove(flight.ids)
        self._settled += len(flight.ids)

    def _refused(self, ids: list[int], flight: Flight, reason: str) -> None:
        if not ids:
            self._refusals.kept(again=flight.suspect)
            return
        culprit = self._refusals.refused(ids, again=flight.suspect)
        if culprit is not None:
            self._set_aside(culprit, reason)

    def _set_aside(self, number: int, reason: str) -> None:
        self._aside += 1
        self._queue.set_aside(number, reason)
        if self._aside <= SHOWN:
            self._log.error("a reading is set aside: it alone is refused", id=number, why=reason)
        if self._aside == SHOWN:
            self._log.error("further readings that are set aside are only counted")

    def _next_refused(self, most: int) -> tuple[bytes, Flight] | None:
        ids = self._refusals.next()
        found = self._scheduler.again(ids, most) if ids else None
        if found is not None:
            self._refusals.sent()
        return found
