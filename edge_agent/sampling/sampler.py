"""From probes to samples: those that are due are read side by side, and judged."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, Self

from edge_agent.probes.fault import Fault
from edge_agent.probes.status import ProbeRecord, ProbeStatus
from edge_agent.probes.temperature import fahrenheit
from edge_agent.sampling.places import places
from edge_agent.sampling.reader import Answer, Reader
from edge_agent.sampling.sample import Sample
from edge_agent.sampling.schedule import Schedule
from isotherm.contract.fields import is_temperature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.sampling.places import Place, SamplingSettings
    from isotherm.log import Log


class Judge:
    """Judges the temperatures of one probe, one after the other.

    Args:
        stuck_after: readings in a row that may be equal to the last bit; the next equal one is
            `Fault.STUCK`. 0 where equal readings are nothing strange: a coarse probe in a cellar
            gives the same number for hours.
    """

    def __init__(self, stuck_after: int = 0) -> None:
        self._stuck_after = stuck_after
        self._last: float | None = None
        self._equal = 0

    def judge(self, celsius: float) -> float | Fault:
        """Degrees Fahrenheit that the contract takes, or what is wrong; takes degrees Celsius."""
        self._equal = self._equal + 1 if celsius == self._last else 1
        self._last = celsius
        if self._stuck_after and self._equal > self._stuck_after:
            return Fault.STUCK
        temperature = fahrenheit(celsius)
        return temperature if is_temperature(temperature) else Fault.RANGE


GATHER: Final = 0.25
"""Seconds for which a sample waits for those of the same tick, so that they share a message."""
DRAIN: Final = 65_536
MOST_HUNG: Final = 3
"""Threads of one probe that hang for ever in reads of earlier configurations; no more are begun."""
HANGS: Final = f"{MOST_HUNG} reads of earlier configurations still hang: start the agent again"


class Clocks(Protocol):
    """The clocks of a board."""

    def wall(self) -> int:
        """The system clock, nanoseconds since 1970."""
        ...

    def uptime(self) -> int:
        """Nanoseconds since the board started."""
        ...


class Sampler:
    """Reads probes, none of which keeps another one waiting.

    `start` begins the reads, `collect` takes what has come since; in between wait until `fileno`
    can be read, at most until `next_look`. A read that takes longer than its probe's timeout is
    `Fault.TIMEOUT`; what it gives later is thrown away, since nobody knows when that was measured.
    A fault is logged when it begins and when it ends, is counted, and gives no sample: no reading
    was lost by it.

    Args:
        places: the board's probes.
        log: gets the faults.
        clock: the system clock, nanoseconds since 1970; used in any thread.
        uptime: nanoseconds since the board started; used in any thread.
        monotonic: seconds of the clock that timeouts and `next_look` go by.
        before: another sampler whose account this one carries on, probe by probe, and whose reads
            go on where the place is the same.

    Attributes:
        places: the board's probes.
        readers: of each, in the same order.
        faults: reads that gave no temperature.
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        log: Log,
        clock: Callable[[], int],
        uptime: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        before: Sampler | None = None,
    ) -> None:
        self._places = self.places = places
        self._monotonic = monotonic
        self._schedule = Schedule([place.interval for place in places], monotonic())
        if before is None:
            self._woken, self._waker = socket.socketpair()
            self._woken.setblocking(False)
            self._waker.setblocking(False)
        else:
            before.hand_over()
            self._woken, self._waker = before._woken, before._waker  # noqa: SLF001 its own kind
        self._answers: deque[tuple[Reader, Answer]] = (
            deque() if before is None else before._answers  # noqa: SLF001 the same
        )
        # A read that is under way goes on: another thread for the same probe might hang as well.
        kept: dict[int, Reader] = {}
        if before is not None:
            kept = {id(reader.place): reader for reader in before.readers}
        self.readers: list[Reader] = [
            kept.get(id(place)) or Reader(place, self._taker(), clock=clock, uptime=uptime)
            for place in places
        ]
        self._numbers = {reader: number for number, reader in enumerate(self.readers)}
        self._judges = [Judge(place.stuck_after) for place in places]
        known = {} if before is None else before.records()
        self._records = [
            known.get(place.guid) or ProbeRecord(place.guid, log=log, clock=clock)
            for place in places
        ]
        self._deadlines: dict[int, float] = {}
        self._late: set[int] = set()
        self._left: list[Reader] = []
        self._handed_over = False
        self._gathered: list[Sample] = []
        self._gathered_until = math.inf
        self.faults: int = 0 if before is None else before.faults
        if before is not None:
            self._carry_on(before)

    @classmethod
    def from_settings(
        cls,
        settings: SamplingSettings,
        clock: Clocks,
        log: Log,
        before: Sampler | None = None,
    ) -> Self:
        """The probes of the configuration; arguments as for the class."""
        return cls(
            places(settings, () if before is None else before.places),
            before=before,
            log=log,
            clock=clock.wall,
            uptime=clock.uptime,
        )

    def due(self, now: float) -> list[int]:
        """The probes whose tick has come, at `now` of the monotonic clock; each tick only once."""
        return self._schedule.due(now)

    @property
    def next_tick(self) -> float:
        """When the next probe is due, seconds of the same clock."""
        return self._schedule.next_tick

    @property
    def drivers(self) -> dict[str, str]:
        """How each probe is read, by its guid."""
        return {
            place.guid: place.settings.driver
            for place in self._places
            if place.settings is not None
        }

    def start(self, due: Iterable[int]) -> None:
        """Begin to read the probes at these places, but for those that are still being read."""
        for number in due:
            if number in self._late:
                self._faulty(number, Fault.TIMEOUT)
            elif number in self._deadlines:
                self._records[number].skip()
            elif self._hangs(number):
                self._faulty(number, Fault.TIMEOUT, HANGS)
            else:
                self._deadlines[number] = self._monotonic() + self._places[number].timeout
                self.readers[number].ask()

    def collect(self) -> list[Sample]:
        """The samples that are there; those of one tick come together if they take no longer.

        Call it after `start` and after each wait, also where nothing came.
        """
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(DRAIN)
        self._absorb()
        now = self._monotonic()
        for number in [n for n, deadline in self._deadlines.items() if deadline <= now]:
            del self._deadlines[number]
            self._late.add(number)
            self._faulty(number, Fault.TIMEOUT)
        if not self._gathered:
            return []
        self._gathered_until = min(self._gathered_until, now + GATHER)
        return [] if self._deadlines and now < self._gathered_until else self._release()

    def fileno(self) -> int:
        """Readable once there is something to collect."""
        return self._woken.fileno()

    @property
    def next_look(self) -> float:
        """When to collect though `fileno` stayed silent, seconds of `monotonic`; may be never."""
        return min(self._gathered_until, *self._deadlines.values(), math.inf)

    @property
    def changes(self) -> int:
        """Grows with each fault that begins or ends: when to publish `status` again."""
        return sum(record.changes for record in self._records)

    def status(self) -> dict[str, ProbeStatus]:
        """How each probe is, by its guid."""
        return {
            place.guid: record.status()
            for place, record in zip(self._places, self._records, strict=True)
        }

    def records(self) -> dict[str, ProbeRecord]:
        """The account of each probe, by its guid."""
        return {p.guid: record for p, record in zip(self._places, self._records, strict=True)}

    def close(self) -> list[Sample]:
        """End; the samples that nobody collected. Waits for no read that is under way."""
        if not self._handed_over:
            self.collect()
            for reader in self.readers:
                reader.close()
            self._woken.close()
            self._waker.close()
        return self._release()

    def hand_over(self) -> None:
        """Another sampler carries on; what was read until now is given by `close`."""
        self._absorb()
        self._handed_over = True

    def _carry_on(self, before: Sampler) -> None:
        self._left = [reader for reader in before._left if reader.busy]
        for number, reader in enumerate(before.readers):
            mine = self._numbers.get(reader)
            if mine is None:
                reader.close()
                if reader.busy:
                    self._left.append(reader)
                continue
            self._judges[mine] = before._judges[number]
            if number in before._late:
                self._late.add(mine)
            elif number in before._deadlines:
                self._deadlines[mine] = before._deadlines[number]

    def _hangs(self, number: int) -> bool:
        """Whether so many threads of this probe hang that another one is no good."""
        if not self._left or self.readers[number].threaded:
            return False
        self._left = [reader for reader in self._left if reader.busy]
        guid = self._places[number].guid
        return sum(reader.place.guid == guid for reader in self._left) >= MOST_HUNG

    def _taker(self) -> Callable[[Reader, Answer], None]:
        answers, waker = self._answers, self._waker

        def take(reader: Reader, answer: Answer) -> None:
            answers.append((reader, answer))
            if reader.place.blocks:
                # A full buffer is a wake-up already; a closed one has nobody to wake.
                with contextlib.suppress(OSError):
                    waker.send(b"\0")

        return take

    def _absorb(self) -> None:
        while self._answers:
            reader, answer = self._answers.popleft()
            # One that was left behind has nobody to listen.
            if (number := self._numbers.get(reader)) is not None:
                self._take(number, answer)

    def _take(self, number: int, answer: Answer) -> None:
        if self._deadlines.pop(number, None) is None:
            self._late.discard(number)
            return
        found = answer.found
        if not isinstance(found, Fault):
            found = self._judges[number].judge(found)
        if isinstance(found, Fault):
            self._faulty(number, found, answer.why)
            return
        self._records[number].reading()
        place = self._places[number]
        self._gathered.append(Sample(place.guid, place.state, found, answer.wall, answer.uptime))

    def _faulty(self, number: int, fault: Fault, why: str = "") -> None:
        self.faults += 1
        self._records[number].failure(fault, why)

    def _release(self) -> list[Sample]:
        samples, self._gathered = self._gathered, []
        self._gathered_until = math.inf
        return samples
