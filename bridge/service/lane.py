"""A lane: one MQTT session, one pump, one sink; a bridge has one, or one per group of shards."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from bridge.credentials import mqtt_context
from bridge.kafka.factory import make_sink
from bridge.kafka.positions import MOST, Positions, position
from bridge.kafka.session_notes import Notebook, note_of
from bridge.monitoring.health import Vitals
from bridge.monitoring.stats import Stats
from bridge.mqtt.backpressure import Backpressure
from bridge.mqtt.end_session import forget
from bridge.mqtt.options import SessionOptions
from bridge.mqtt.session import Session
from bridge.pump.pump import Bounds, Pump
from isotherm.backoff import Backoff
from isotherm.log import Availability, SharedAvailability

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.kafka.session_notes import Note
    from bridge.mqtt.client import Arrivals
    from bridge.mqtt.framing import Frame
    from bridge.settings import BridgeSettings
    from isotherm.log import Log
    from isotherm.tasks import Tasks

_CLOSE_S: Final = 5.0


class Lane:
    """Forwards what one MQTT session gives, in order, in threads of its own.

    Args:
        settings: with the client id and the filters of this lane.
        kafka: notified when Kafka is lost and when it is back; lanes share one.
        log: where changes of state go.
        tasks: supervises the threads.
        before: called once, in the pump's thread, before the first message is taken; it may take
            its time. It gives the positions of messages that are in Kafka already, and whether no
            session of the other kind is left.
        ending: the note of a session that is to be given up: it is only emptied. None for one that
            is to stay.

    Raises:
        MissingClientError: the chosen Kafka client is not installed.
        SettingsError: the password file cannot be read.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        kafka: SharedAvailability,
        log: Log,
        tasks: Tasks,
        *,
        before: Callable[[Lane], tuple[list[bytes], bool]] | None = None,
        ending: Note | None = None,
    ) -> None:
        self.client_id = settings.client_id
        self.stats = Stats()
        self.mqtt = Availability("mqtt", log, url=settings.mqtt, client_id=settings.client_id)
        self.notebook = Notebook(ending or note_of(settings))
        self._log = log
        self._kafka = kafka.member()
        self._exactly_once = settings.exactly_once
        self._was_connected = False
        self._first_resumed: bool | None = None
        self._first = threading.Lock()
        self._before = before
        self._ending = ending
        self._settled = threading.Event()
        self._early: set[bytes] = set()
        self._early_retained: set[bytes] = set()
        self._last_arrival = self._began = time.monotonic()
        self.left_behind = threading.Event()
        """Set once the broker confirmed that the session has no filters but ours."""
        backpressure = Backpressure()
        self._positions = Positions() if self._exactly_once else None
        self._options = _options(settings, () if ending else settings.subscribe)
        self._session = Session(
            self._options,
            self,
            Backoff(),
            log,
            backpressure,
            tasks=tasks,
            asks=self._exactly_once,
            passed_over=self._passed_over if before is not None else None,
        )
        self.stopping = threading.Event()
        self._pump = Pump(
            sink=make_sink(settings, self._kafka, self.stopping, self.notebook),
            acknowledge=self._session.acknowledge,
            kafka=self._kafka,
            backoff=Backoff(longest=10.0),
            now=time.time_ns,
            stats=self.stats,
            log=log,
            positions=self._positions,
            on_open=self._opened,
            stopping=self.stopping,
            backpressure=backpressure,
            bounds=Bounds.from_settings(settings),
        )

    def start(self) -> None:
        """Begin to connect to both sides."""
        if self._ending is not None:
            self._session.settle(frozenset(), self._ending.filters)
        elif not self._exactly_once:
            # Nothing is noted of it, so the usual filters are given up by name.
            self._session.settle(frozenset(), self.notebook.stale())
        # Until Kafka has shut out a process that had this client id, that one may still deliver
        # what comes here, so nothing is taken before. But the subscription must be there at once.
        self._session.start(paused=self._exactly_once)
        # Not before: it ends the pause as soon as Kafka was reached, or the pause would never end.
        self._pump.start()

    def vitals(self) -> Vitals:
        """The state of this lane; from any thread."""
        return Vitals(
            client_id=self.client_id,
            stats=self.stats,
            pumping=self._pump.alive,
            listening=self._session.alive,
            subscribed=bool(self.mqtt.available),
            kafka=bool(self._kafka.available) and self._settled.is_set(),
            faults=tuple(self._session.faults.values()),
        )

    @property
    def ready(self) -> bool:
        """Whether the lane is subscribed, and takes messages."""
        return bool(self.mqtt.available) and self._settled.is_set()

    @property
    def joined(self) -> bool:
        """Whether all of its filters are subscribed: what is published from now on comes to it."""
        return bool(self.mqtt.available) and self._session.granted.is_set()

    @property
    def failure(self) -> BaseException | None:
        """What ended the lane against its will."""
        return self._pump.failure

    @property
    def filters(self) -> tuple[str, ...]:
        """Those that it subscribes to."""
        return self._options.filters

    @property
    def waited_s(self) -> float:
        """For how long the broker has not given its session, with the right filters, seconds."""
        if not self.left_behind.is_set():
            return time.monotonic() - self._began
        return 0.0 if self.mqtt.available else time.monotonic() - self._last_arrival

    @property
    def quiet_s(self) -> float:
        """For how long nothing has come, and nothing was under way, seconds."""
        if self.stats.in_flight or not self.ready:
            return 0.0
        return time.monotonic() - self._last_arrival

    def is_empty(self, timeout: float) -> bool:
        """Ask the broker whether more comes: silence alone may be a slow line, or a new connection.

        A broker sends what it holds as long as the window is open, and its answer behind that.

        Args:
            timeout: seconds to wait for the answer; without one it is not known to be empty.
        """
        before = self.stats.received
        answered = self._session.answers(timeout)
        return answered and self.stats.received == before and not self.stats.in_flight

    def note(self) -> None:
        """Write what is known of the session, which Kafka keeps for a while only."""
        if self._exactly_once and self._settled.is_set():
            self._pump.prove()

    def finish(self, timeout: float) -> bool:
        """End the session with the broker, note that, and end the lane.

        Args:
            timeout: seconds for each step.

        Returns:
            Whether it is done; if not, nothing is: Kafka has not shown in time that the client id
            is still ours, or `failure` says that it is not.

        Raises:
            OSError: the broker cannot be reached; the session stays.
        """
        # Who took over the client id took over the session, which is not to be ended under it.
        if not self._pump.proven(timeout):
            return False
        self._session.close(timeout)
        forget(self._options, timeout)
        self.notebook.settled(ended=True)
        self._pump.prove()
        self._pump.drain(timeout)
        self._kafka.forget()
        return True

    def delivered(self, *, earlier: bool = False) -> set[bytes]:
        """What the last messages that were delivered say, without their packet identifiers.

        Args:
            earlier: those of earlier lives, too.
        """
        return set() if self._positions is None else self._positions.contents(earlier=earlier)

    def _opened(self) -> None:
        """Kafka was reached: in the pump's thread, before a message is taken."""
        if self._exactly_once and self._ending is None:
            self._session.settle(self.notebook.held(), self.notebook.stale())
        self._judge_first()
        if self.notebook.incomplete:
            self.stats.searches_cut += 1
            self._log.warning(
                "positions not all read",
                client_id=self.client_id,
                why="the position topic holds more than can be read at a start, and an earlier "
                "life of this client id may have written further back, with another number of "
                "partitions; what it delivered and the MQTT broker sends again would be doubled",
            )
        none_left = True
        if self._before is not None:
            known, none_left = self._before(self)
            if known and self._positions is not None:
                self._pump.know(known)
        # Else the next life looks again.
        alone = none_left and self.notebook.be_alone()
        self._early.clear()
        self._early_retained.clear()
        self._last_arrival = time.monotonic()
        self._settled.set()
        if alone or self.left_behind.is_set():
            # What became known before there was somebody to write it.
            self.note()
        self._session.resume()

    def early(self, *, retained: bool) -> set[bytes]:
        """The positions of what came before the lane took messages, and comes again.

        Args:
            retained: of what the broker had kept, and not of what was published meanwhile.
        """
        return set(self._early_retained if retained else self._early)

    def _passed_over(self, frames: list[Frame]) -> None:
        for topic, payload, mid, _duplicate, retained in frames:
            early = self._early_retained if retained else self._early
            if len(early) < MOST:
                early.add(position(topic, payload, mid))

    def stop(self, drain_timeout: float) -> bool:
        """Deliver and acknowledge what has arrived, and disconnect; the session stays.

        Args:
            drain_timeout: seconds; after that the rest is left to the MQTT broker, which has it.

        Returns:
            Whether all that had arrived was delivered.
        """
        self._session.pause()
        drained = self._pump.drain(drain_timeout)
        self._session.close(_CLOSE_S)
        self._kafka.forget()
        return drained

    def arrived(self, arrivals: Arrivals) -> None:
        """See `bridge.mqtt.session.SessionEvents`."""
        self._last_arrival = time.monotonic()
        self._pump.arrived(arrivals)

    def connected(self, *, resumed: bool) -> None:
        """See `bridge.mqtt.session.SessionEvents`."""
        if not self._was_connected:
            self._was_connected = True
            self._first_resumed = resumed
            self._judge_first()
            return
        self.stats.reconnects += 1
        if not resumed:
            self._session_lost()
        if self._exactly_once:
            # A broker closes the connection whose client id another client takes, and need not say
            # why; Kafka knows whether that was another bridge.
            self._pump.prove()

    def subscribed(self, *, resumed: bool) -> None:
        """See `bridge.mqtt.session.SessionEvents`."""
        self.mqtt.back(session="resumed" if resumed else "new")

    def disconnected(self, why: str, *, refused: bool = False) -> None:
        """See `bridge.mqtt.session.SessionEvents`."""
        self.mqtt.lost(why, refused=refused)

    def taken_over(self) -> None:
        """See `bridge.mqtt.session.SessionEvents`."""
        if self._exactly_once:
            # If that was another bridge, Kafka has shut us out, and this lane ends.
            self._pump.prove()

    def left(self) -> None:
        """See `bridge.mqtt.session.SessionEvents`."""
        self.left_behind.set()
        if self._ending is None and self.notebook.settled():
            self.note()

    def _judge_first(self) -> None:
        """Once both are known: how the first connection went, and what Kafka says of it."""
        with self._first:
            if self._first_resumed is None or not self.notebook.asked:
                return
            new, self._first_resumed = not self._first_resumed, None
        if new and self._ending is None and self.notebook.missing(time.time()):
            self._session_lost()

    def _session_lost(self) -> None:
        self.stats.sessions_lost += 1
        self.stats.session_lost_at = time.time()
        self.notebook.was_lost(self.stats.session_lost_at)
        self._log.error(
            "mqtt session lost",
            client_id=self.client_id,
            note="the broker has no session of this bridge, though it should; what it held for it "
            "is gone: did it lose its state, or did another client connect with this client id?",
        )


def _options(settings: BridgeSettings, filters: tuple[str, ...]) -> SessionOptions:
    return SessionOptions(
        address=settings.mqtt,
        client_id=settings.client_id,
        filters=filters,
        version=5 if settings.mqtt_version == "5" else 3,
        receive_maximum=settings.receive_maximum,
        max_packet_size=settings.max_packet_size,
        session_expiry=int(settings.session_expiry),
        username=settings.username or settings.mqtt.username,
        password=settings.password(),
        tls=mqtt_context(settings),
    )
