"""A lane: one MQTT session, one pump, one sink; a bridge has one, or one per group of shards."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from bridge.availability import Availability
from bridge.backpressure import Backpressure
from bridge.client import SessionOptions
from bridge.health import Vitals
from bridge.positions import Positions
from bridge.pump import Bounds, Pump
from bridge.security import mqtt_context
from bridge.session import Session
from bridge.sinks import make_sink
from bridge.stats import Stats
from contract.backoff import Backoff

if TYPE_CHECKING:
    from bridge.client import Arrivals
    from bridge.settings import BridgeSettings
    from contract.log import Log

_CLOSE_S: Final = 5.0


class Lane:
    """Forwards what one MQTT session gives, in order, in threads of its own.

    Args:
        settings: with the client id and the filters of this lane.
        kafka: told when Kafka is lost and when it is back; lanes may share one.
        log: where changes of state go.

    Raises:
        MissingClientError: the chosen Kafka client is not installed.
        SettingsError: the password file cannot be read.
    """

    def __init__(self, settings: BridgeSettings, kafka: Availability, log: Log) -> None:
        self.client_id = settings.client_id
        self.stats = Stats()
        self.mqtt = Availability("mqtt", log, url=settings.mqtt, client_id=settings.client_id)
        self._log = log
        self._kafka = kafka
        self._exactly_once = settings.delivery == "exactly-once"
        self._was_connected = False
        backpressure = Backpressure()
        self._session = Session(
            SessionOptions(
                address=settings.mqtt,
                client_id=settings.client_id,
                filters=settings.subscribe,
                version=5 if settings.mqtt_version == "5" else 3,
                receive_maximum=settings.receive_maximum,
                max_packet_size=settings.max_packet_size,
                session_expiry=int(settings.session_expiry),
                username=settings.username or settings.mqtt.username,
                password=settings.password(),
                tls=mqtt_context(settings),
            ),
            self,
            Backoff(),
            log,
            backpressure,
        )
        stopping = threading.Event()
        self._pump = Pump(
            sink=make_sink(settings, kafka, stopping),
            acknowledge=self._session.acknowledge,
            kafka=kafka,
            backoff=Backoff(longest=10.0),
            now=time.time_ns,
            stats=self.stats,
            log=log,
            positions=Positions() if self._exactly_once else None,
            on_open=self._session.resume,
            stopping=stopping,
            backpressure=backpressure,
            bounds=Bounds(window_bytes=settings.window_bytes, max_lines=settings.max_lines),
            window=settings.receive_maximum if self._exactly_once else 0,
        )

    def start(self) -> None:
        """Begin to connect to both sides."""
        self._pump.start()
        # Until Kafka has shut out a process that had this client id, that one may still deliver
        # what comes here, so nothing is taken before. But the subscription must stand at once.
        self._session.start(paused=self._exactly_once)

    def vitals(self) -> Vitals:
        """The state of this lane; from any thread."""
        return Vitals(
            client_id=self.client_id,
            stats=self.stats,
            pumping=self._pump.alive,
            listening=self._session.alive,
            subscribed=bool(self.mqtt.available),
            kafka=bool(self._kafka.available) and self._pump.opened.is_set(),
        )

    @property
    def ready(self) -> bool:
        """Whether the lane is subscribed, and Kafka was reached."""
        return bool(self.mqtt.available) and self._pump.opened.is_set()

    @property
    def failure(self) -> BaseException | None:
        """What ended the lane against its will."""
        return self._pump.failure or self._session.failure

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
        return drained

    def arrived(self, arrivals: Arrivals) -> None:
        """See `bridge.session.SessionEvents`."""
        self._pump.arrived(arrivals)

    def subscribed(self, *, resumed: bool) -> None:
        """See `bridge.session.SessionEvents`."""
        self.stats.reconnects += self._was_connected
        if self._was_connected and not resumed:
            self.stats.sessions_lost += 1
            self._log.warning(
                "mqtt session lost",
                client_id=self.client_id,
                note="the broker forgot the session; what it held for this bridge is gone with it",
            )
        if self._was_connected and self._exactly_once:
            # A broker closes the connection whose client id another client takes, and need not say
            # why; Kafka knows whether that was another bridge.
            self._pump.prove()
        self._was_connected = True
        self.mqtt.back(session="resumed" if resumed else "new")

    def disconnected(self, why: str, *, refused: bool = False) -> None:
        """See `bridge.session.SessionEvents`."""
        self.mqtt.lost(why, refused=refused)
