"""The outbox as the publisher sees it: gives messages, and hears what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.breaker import Breaker
from edge_agent.lanes import PACKET_BYTES
from edge_agent.mqtt.message import Fate, Message
from edge_agent.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from edge_agent.dropper import Dropper
    from edge_agent.keeper import Keeper
    from edge_agent.lanes import Flight, Lanes
    from isotherm.log import Log, Problems

UNHEARD: Final = "nobody gets the readings, no subscriber: they are kept"
REFUSED: Final = "the broker refuses readings: they are kept"
SHOWN: Final = 5
"""So many readings that are set aside have a line each; all are counted."""


class Dispatch:
    """A source for the publisher (`edge_agent.mqtt.message.Source`).

    Args:
        keeper: has the entries, and deletes those that were taken.
        lanes: choose what goes next.
        dropper: knows the gaps that may still grow.
        troubles: told when nobody listens, or the broker refuses.
        log: told of readings that are set aside.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        keeper: Keeper,
        lanes: Lanes,
        dropper: Dropper,
        *,
        troubles: Problems,
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        self._keeper = keeper
        self._lanes = lanes
        self._dropper = dropper
        self._troubles = troubles
        self._log = log
        self._flights: dict[int, Flight] = {}
        self._tag = 0
        self._breaker = Breaker(clock)
        self._refusals = Refusals(clock)
        # On their way, and in no file any more: whether a gap tells of them already.
        self._rowless: dict[int, bool] = {}
        self.lost: Callable[[list[bytes], int], None] = lambda _lines, _count: None
        """Told how many readings came back undelivered that stand in no file any more, and the
        lines of those of which no gap tells."""
        self.largest: Callable[[], int] = lambda: PACKET_BYTES
        self.fates = dict.fromkeys(Fate, 0)
        self.aside = 0
        self.settled = 0
        self.stopping = False

    @property
    def waits(self) -> tuple[float, ...]:
        """Seconds until something may be sent that may not now; 0 for what time does not change."""
        return self._breaker.wait(), self._refusals.wait, self._lanes.wait

    @property
    def flying(self) -> list[int]:
        """Ids of the entries that are on their way."""
        return [number for flight in self._flights.values() for number in flight.ids]

    @property
    def elsewhere(self) -> list[int]:
        """Ids of the entries that wait, or fly, and are not in the backlog."""
        live = [entry.id for entry in self._lanes.live]
        return [*self.flying, *self._refusals.ids, *live]

    def without_rows(self, ids: Collection[int], declared: Callable[[int], bool]) -> int:
        """These ids are in no file any more; how many of them are on their way.

        Args:
            ids: of the rows that are lost.
            declared: whether a gap tells of one already.
        """
        self._rowless = {
            # What was lost before is in no account of this time.
            number: self._rowless[number] if number in self._rowless else declared(number)
            for number in set(ids).intersection(self.flying)
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
        if not self._keeper.safe and not self._lanes.live:
            self._lanes.add_live(self._dropper.memory_gaps.clear())
        most = max(1, min(PACKET_BYTES, self.largest()))
        found = self._lanes.next(most, backlog=not self.stopping) or self._next_refused(most)
        if found is None:
            return None
        payload, flight = found
        self._dropper.seal(flight.ids)
        self._tag += 1
        self._flights[self._tag] = flight
        return Message(payload, self._tag, readings=len(flight.ids))

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        """What became of a message; `reason` says why it was refused."""
        flight = self._land(message)
        self.fates[fate] += message.readings
        if fate is Fate.DELIVERED:
            if self._rowless:
                self._forget_rowless(flight)
            self._delivered(flight)
            return
        flight = self._give_up_rowless(message, flight)
        self._breaker.kept()
        on_disk = self._shelve(flight)
        if fate is Fate.UNHEARD:
            self._troubles.begin(UNHEARD, message.readings)
            self._refusals.kept(again=flight.suspect)
            self._lanes.backlog.update(sorted(on_disk))
        else:
            self._troubles.begin(REFUSED, message.readings, reason=reason)
            self._refused(on_disk, flight, reason)

    def too_large(self, message: Message, reason: str) -> None:
        """The broker takes no packet so large; that holds nothing else up."""
        flight = self._land(message)
        self._refusals.kept(again=flight.suspect)
        flight = self._give_up_rowless(message, flight)
        if len(flight.ids) == message.readings == 1:
            # What is in memory only stays there, and is written with its reason.
            self.fates[Fate.REFUSED] += 1
            self._set_aside(flight.ids[0], reason)
            return
        on_disk = self._shelve(flight)
        if on_disk and (flight.backfill or not self._lanes.take_back(on_disk)):
            self._lanes.backlog.update(sorted(on_disk))

    def _land(self, message: Message) -> Flight:
        flight = self._flights.pop(message.tag)
        self._lanes.landed(flight)
        return flight

    def _give_up_rowless(self, message: Message, flight: Flight) -> Flight:
        """What comes back, and could not be sent again: its row was lost with a file."""
        if self._rowless.keys().isdisjoint(flight.ids):
            return flight
        lines = zip(flight.ids, message.payload.split(b"\n"), strict=True)
        untold = [line for number, line in lines if not self._rowless.get(number, True)]
        kept = [number for number in flight.ids if number not in self._rowless]
        self._forget_rowless(flight)
        self.lost(untold, len(flight.ids) - len(kept))
        return flight._replace(ids=kept)

    def _forget_rowless(self, flight: Flight) -> None:
        for number in flight.ids:
            self._rowless.pop(number, None)

    def _shelve(self, flight: Flight) -> list[int]:
        """What is in memory only goes first again; the ids of the rest."""
        shelf = self._keeper.shelf
        on_shelf = [shelf[number] for number in flight.ids if number in shelf]
        self._lanes.put_back(on_shelf)
        return [number for number in flight.ids if number not in shelf]

    def _delivered(self, flight: Flight) -> None:
        self._breaker.delivered()
        self._refusals.delivered(flight.ids, again=flight.suspect)
        self._troubles.end(UNHEARD)
        if not self._refusals.ids:
            self._troubles.end(REFUSED)
        self._keeper.batch.gone += flight.ids
        for number in flight.ids:
            self._keeper.shelf.pop(number, None)
        self.settled += len(flight.ids)

    def _refused(self, ids: list[int], flight: Flight, reason: str) -> None:
        if not ids:
            self._refusals.kept(again=flight.suspect)
            return
        culprit = self._refusals.refused(ids, again=flight.suspect)
        if culprit is not None:
            self._set_aside(culprit, reason)

    def _set_aside(self, number: int, reason: str) -> None:
        self.aside += 1
        self._keeper.batch.aside[number] = reason
        if self.aside <= SHOWN:
            self._log.error("a reading is set aside: it alone is refused", id=number, why=reason)
        if self.aside == SHOWN:
            self._log.error("further readings that are set aside are only counted")

    def _next_refused(self, most: int) -> tuple[bytes, Flight] | None:
        ids = self._refusals.next()
        found = self._lanes.again(ids, most) if ids else None
        if found is not None:
            self._refusals.sent()
        return found
