"""The pump: frames in, one batch to Kafka at a time, and then their PUBACKs in arrival order.

While a batch is out, what arrives meanwhile becomes the next one. So a lone message leaves at once,
and batches grow just as far as Kafka is slower than MQTT: no linger, and nothing to tune.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

from bridge.kafka.errors import (
    BatchTooSlowError,
    LettersTooLargeError,
    RecordsRefusedError,
    SinkClosingError,
    SinkUnavailableError,
)
from bridge.mqtt.backpressure import Backpressure
from bridge.mqtt.client import Arrivals
from bridge.pump.backlog import MAX_BATCH_BYTES, Backlog, Overflow
from bridge.pump.load import prepare, topics_of
from bridge.pump.pace import Pace
from bridge.records import (
    LEAST_PART_BYTES,
    MAX_LINES,
    PART_BYTES,
    Batch,
    Letter,
    dead_letter,
)
from isotherm.contract.reasons import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bridge.kafka.positions import Positions
    from bridge.kafka.sink import Sink
    from bridge.monitoring.stats import Stats
    from bridge.pump.load import Load
    from bridge.records import Record
    from bridge.settings import BridgeSettings
    from isotherm.backoff import Backoff
    from isotherm.log import Availability, Log

_END_S: Final = 5.0
_KNOWN_AT_A_TIME: Final = 10_000
_GATHER_SHARE: Final = 0.5
_GATHER_MOST_S: Final = 0.01


class Acknowledge(Protocol):
    """Sends PUBACKs; False if that connection has ended (see `bridge.mqtt.session.Session`)."""

    def __call__(self, connection: int, mids: Sequence[int], /) -> bool:
        """Acknowledge these packet identifiers of that connection, in order."""


class Bounds(NamedTuple):
    """How much is taken.

    Attributes:
        window_bytes: that may wait or be under way, as `bridge.pump.load.Load.weight` counts;
            above, nothing more is read.
        max_lines: of one MQTT message; one with more is one dead letter.
        window: messages that the broker sends without acknowledgements; 0 where batches need not
            be large (at-least-once).
    """

    window_bytes: int = 32 * 1024 * 1024
    max_lines: int = MAX_LINES
    window: int = 0

    @classmethod
    def from_settings(cls, settings: BridgeSettings) -> Self:
        """Those of one lane."""
        return cls(
            window_bytes=settings.window_bytes,
            max_lines=settings.max_lines,
            window=settings.receive_maximum if settings.exactly_once else 0,
        )


_USUAL_BOUNDS: Final = Bounds()


class Pump:
    """Moves messages from the session to a sink, in a thread of its own.

    Args:
        sink: where batches go.
        acknowledge: called for what the sink confirmed, never before.
        kafka: notified when the sink is lost and when it is back.
        backoff: the delays between deliveries of the same batch.
        now: nanoseconds since 1970, for dead letters.
        stats: counted as batches end.
        log: for the first dead letter of each reason.
        positions: tells redeliveries of what is delivered; None delivers them again
            (at-least-once).
        on_open: called once Kafka was reached, before the first message is taken.
        stopping: set by `drain` when waiting for Kafka must end; the sink heeds it too.
        backpressure: tells the network thread when to read.
        bounds: how much is taken.
    """

    def __init__(
        self,
        *,
        sink: Sink,
        acknowledge: Acknowledge,
        kafka: Availability,
        backoff: Backoff,
        now: Callable[[], int],
        stats: Stats,
        log: Log,
        positions: Positions | None,
        on_open: Callable[[], None],
        stopping: threading.Event,
        backpressure: Backpressure | None = None,
        bounds: Bounds = _USUAL_BOUNDS,
    ) -> None:
        self._sink = sink
        self._acknowledge = acknowledge
        self._kafka = kafka
        self._backoff = backoff
        self._now = now
        self._stats = stats
        self._log = log
        self._bounds = bounds
        self._backlog = Backlog(bounds.max_lines)
        self._pace = Pace(log, MAX_BATCH_BYTES)
        stats.batch_limit = self._pace.limit
        self._overflow = Overflow(log)
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._proof_ended = threading.Condition(lock)
        self._proving = False
        self._proofs = 0
        self._part_bytes = PART_BYTES
        self._draining = False
        self._positions = positions
        self._on_open = on_open
        self._stopping = stopping
        self._backpressure = backpressure or Backpressure()
        self._ended = self._took = self._tried = 0.0
        self.opened = threading.Event()
        """Set once Kafka was reached for the first time."""
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)
        self.failure: BaseException | None = None
        """What ended the thread against its will; a bug."""

    def start(self) -> None:
        """Begin to take messages."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether messages are still being taken."""
        return self._thread.is_alive()

    def arrived(self, arrivals: Arrivals) -> None:
        """Take frames over in the network thread, which makes them ready; waits for nothing.

        With exactly-once only after `on_open`, once it is known what earlier lives delivered; but
        for messages at QoS 0, which nobody delivers again.
        """
        with self._changed:
            self._backlog.connected(arrivals.connection)
            taken = self._backlog.within_bounds(arrivals)
        load = prepare(taken, self._positions, self._backlog.admit, self._bounds.max_lines)
        dropped = len(arrivals.frames) - load.messages
        if dropped or load.unbounded:
            self._overflow.note(dropped, before=self._stats.dropped)
        now = time.monotonic()
        with self._changed:
            if not self._stats.in_flight:
                self._stats.oldest = now
            self._stats.received += len(arrivals.frames)
            self._stats.dropped += dropped
            if load.messages or not dropped:
                self._backlog.add(now, load)
            self._update_room()
            self._changed.notify()

    def prove(self) -> None:
        """Have the sink show, with an empty batch, that the client id is still ours."""
        with self._changed:
            if self._backlog.proof:
                return
        self.arrived(Arrivals(0, []))

    def proven(self, timeout: float) -> bool:
        """As `prove`, and wait until the sink has shown it.

        Args:
            timeout: seconds; after that it is not known.
        """
        with self._changed:
            # One that is under way may have begun before another process took over.
            enough = self._proofs + 1 + self._proving
        self.prove()
        with self._changed:
            self._proof_ended.wait_for(
                lambda: self._proofs >= enough or self.failure is not None, timeout
            )
            return self._proofs >= enough

    def know(self, positions: list[bytes]) -> None:
        """Take messages for delivered, in Kafka's eyes too; in the thread of `on_open`.

        Raises:
            SinkClosingError: the bridge is stopping.
        """
        most, start = _KNOWN_AT_A_TIME, 0
        while start < len(positions):
            some = b"".join(positions[start : start + most])
            try:
                self._deliver(Batch([], [], some), [])
            except BatchTooSlowError:
                most = max(1, most // 2)
                continue
            start += most
            if self._positions is not None:
                self._positions.load(some)

    def drain(self, timeout: float) -> bool:
        """Deliver and acknowledge what has arrived, then end.

        Args:
            timeout: seconds; after that the rest is left to the MQTT broker, which has it still.

        Returns:
            Whether all that had arrived was delivered.
        """
        with self._changed:
            self._draining = True
            self._changed.notify()
            if not (self._backlog or self.opened.is_set()):
                # Nothing has arrived, and Kafka need not be waited for any longer.
                self._stopping.set()
        self._thread.join(timeout)
        in_time = not self._thread.is_alive()
        self._stopping.set()
        # A client library may not heed it; the thread ends with the process then.
        self._thread.join(_END_S)
        with self._changed:
            # Nobody has them but us.
            self._stats.dropped += self._backlog.unacknowledgeable
        return in_time and not self._backlog

    def _run(self) -> None:
        try:
            self._patiently(self._open)
            self.opened.set()
            self._on_open()
            while loads := self.take():
                self.move(loads)
        except SinkClosingError:
            pass
        except BaseException as error:  # noqa: BLE001 kept for the main thread, which reports it
            self.failure = error
        finally:
            self._sink.close()
            with self._changed:
                self._proof_ended.notify_all()

    def take(self) -> list[Load]:
        """All that waits, up to a bound; empty once drained."""
        idle = self._backpressure.idle
        with self._changed:
            self._backlog.finished()
            self._update_room()
            if not self._backlog:
                idle.set()
                self._changed.wait_for(lambda: self._backlog or self._draining)
            idle.clear()
            self._gather()
            if self._backlog:
                self._stats.oldest = self._backlog.since
            loads = self._backlog.take(self._pace.limit)
            self._proving = any(load.proof for load in loads)
            return loads

    def _update_room(self) -> None:
        """Have the network thread read on or not; called with the lock."""
        self._stats.waiting_bytes = self._backlog.weight
        if self._backlog.weight < self._bounds.window_bytes:
            self._backpressure.room.set()
        else:
            self._backpressure.room.clear()

    def _gather(self) -> None:
        """Wait a little for the broker to fill the window again, where a batch has just ended.

        A transaction costs Kafka the same whatever is in it, so fewer and larger ones leave more
        for everything else. A message that comes out of silence waits for nothing.
        """
        end = self._ended + min(self._took * _GATHER_SHARE, _GATHER_MOST_S)
        room = self._backpressure.room
        while self._stats.in_flight < self._bounds.window and room.is_set() and not self._draining:
            left = end - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def move(self, loads: Sequence[Load]) -> None:
        """Deliver one batch to its end, then acknowledge it; or put it back, to go in parts.

        Raises:
            SinkClosingError: the bridge is stopping; nothing of the batch is acknowledged.
            FencedError: another process has taken over; the same.
        """
        began = self._tried = time.monotonic()
        readings: list[Record] = []
        letters: list[Record] = []
        reasons: list[str] = []
        marks: list[bytes] = []
        for load in loads:
            readings += load.readings
            marks += load.marks
            for letter, topic in load.letters:
                reasons.append(letter.rejection.reason.value)
                letters += self._letter(letter, topic)
        weight = sum(load.weight for load in loads)
        if readings or letters or any(load.proof for load in loads):
            try:
                refused = self._deliver(Batch(readings, letters, b"".join(marks)), loads)
            except BatchTooSlowError:
                self._go_in_parts(weight)
                return
            reasons += [Reason.TOO_LARGE.value] * refused
            self._stats.delivered += len(readings) - refused
        self._end_proof()
        self._stats.rejected.update(reasons)
        self._release(loads)
        self._ended = time.monotonic()
        self._took = self._ended - began
        self._pace.took(weight, self._ended - self._tried)
        self._stats.batch_limit = self._pace.limit

    def _end_proof(self) -> None:
        if self._proving:
            with self._changed:
                self._proving = False
                self._proofs += 1
                self._proof_ended.notify_all()

    def _go_in_parts(self, weight: int) -> None:
        """After a batch that was too slow: have less of it taken next."""
        self._stats.kafka_errors += 1
        self._pace.too_slow(weight)
        self._stats.batch_limit = self._pace.limit
        with self._changed:
            self._proving = False
            self._backlog.put_back()

    def _letter(self, letter: Letter, topic: bytes) -> list[Record]:
        reason = letter.rejection.reason.value
        if reason not in self._stats.rejected:
            self._log.warning(
                "dead letter",
                reason=reason,
                detail=letter.rejection.detail,
                mqtt_topic=topic.decode("utf-8", "backslashreplace"),
                note="more of this reason are counted, not logged",
            )
            self._stats.rejected[reason] = 0
        return dead_letter(letter, topic, self._now(), self._part_bytes)

    def _cut_again(self, batch: Batch, whole: Iterable[tuple[Letter, bytes]]) -> Batch:
        """A batch with whole dead letters in smaller parts, so that their parts add up.

        Args:
            batch: what is to be delivered.
            whole: all letters that may be in it, and the MQTT topic of each.
        """
        self._log.warning(
            "the dead-letter topic takes no record of that size: larger letters are written in "
            "smaller parts; a higher max.message.bytes would allow them",
            part_bytes=self._part_bytes,
        )
        keys = {record.key for record in batch.dead_letters}
        letters: list[Record] = []
        for letter, topic in whole:
            parts = dead_letter(letter, topic, self._now(), self._part_bytes)
            if parts[0].key in keys:
                letters += parts
        return batch._replace(dead_letters=letters)

    def _open(self) -> None:
        earlier = self._sink.open()
        if self._positions is not None:
            self._positions.load(earlier)

    def _deliver(self, batch: Batch, loads: Sequence[Load]) -> int:
        """Deliver a batch to its end; how many readings became dead letters on the way."""
        refused = 0
        whole = [each for load in loads for each in load.letters]

        def attempt() -> None:
            nonlocal batch
            while True:
                self._tried = time.monotonic()
                try:
                    self._sink.deliver(batch)
                except SinkUnavailableError as error:
                    batch = error.remaining or batch
                    largest = max((len(each.value) for each in batch.dead_letters), default=0)
                    too_large = isinstance(error, LettersTooLargeError)
                    if not too_large or largest <= LEAST_PART_BYTES:
                        raise
                    self._part_bytes = max(LEAST_PART_BYTES, largest // 2)
                    batch = self._cut_again(batch, whole)
                else:
                    return

        while True:
            try:
                self._patiently(attempt)
            except RecordsRefusedError as error:
                batch = error.remaining._replace(dead_letters=error.remaining.dead_letters[:])
                topics = topics_of((record for record, _why in error.refusals), loads)
                for record, why in error.refusals:
                    letter = Letter(record.value, Rejection(Reason.TOO_LARGE, why))
                    whole.append((letter, topics.get(record.value, b"")))
                    batch.dead_letters.extend(self._letter(*whole[-1]))
                refused += len(error.refusals)
            else:
                return refused

    def _patiently(self, attempt: Callable[[], None]) -> None:
        """Try for ever: withheld acknowledgements are the only backpressure there is."""
        while True:
            try:
                attempt()
            except SinkUnavailableError as error:
                self._stats.kafka_errors += 1
                self._kafka.lost(str(error), refused=error.refused)
                if self._stopping.wait(self._backoff.next()):
                    raise SinkClosingError(str(error)) from error
            else:
                self._backoff.reset()
                self._kafka.back()
                return

    def _release(self, loads: Sequence[Load]) -> None:
        stats = self._stats
        for load in loads:
            current = self._acknowledge(load.connection, load.mids)
            stats.settled += load.messages
            stats.stale += load.stale
            stats.duplicates += load.duplicates
            stats.suppressed += load.suppressed
            if current:
                stats.acknowledged += len(load.mids)
            else:
                stats.stale += len(load.mids)
