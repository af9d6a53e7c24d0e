"""The running bridge: session, pump and sink put together, until a signal ends it."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Final

from bridge.availability import Availability
from bridge.client import SessionOptions
from bridge.health import Vitals
from bridge.positions import Positions
from bridge.pump import Pump
from bridge.session import Session
from bridge.sinks import make_sink
from bridge.stats import Stats
from contract.backoff import Backoff

if TYPE_CHECKING:
    from bridge.client import Arrivals
    from bridge.settings import BridgeSettings
    from contract.log import Log

_CLOSE_S: Final = 5.0
_LOOK_S: Final = 1.0


class Bridge:
    """One bridge.

    Args:
        settings: what it is told.
        log: where its changes of state go.

    Raises:
        MissingClientError: the chosen Kafka client is not installed.
        SettingsError: the password file cannot be read.
    """

    def __init__(self, settings: BridgeSettings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._stop = threading.Event()
        self._was_ready = False
        self._was_connected = False
        self.stats = Stats()
        self._mqtt = Availability("mqtt", log, url=settings.mqtt, client_id=settings.client_id)
        self._kafka = kafka = Availability("kafka", log, brokers=settings.brokers)
        self._session = Session(
            SessionOptions(
                address=settings.mqtt,
                client_id=settings.client_id,
                filters=settings.subscribe,
                version=5 if settings.mqtt_version == "5" else 3,
                receive_maximum=settings.receive_maximum,
                session_expiry=int(settings.session_expiry),
                username=settings.username or settings.mqtt.username,
                password=settings.password(),
            ),
            self,
            Backoff(),
            log,
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
            positions=Positions() if settings.delivery == "exactly-once" else None,
            stopping=stopping,
        )

    def run(self) -> None:
        """Forward until SIGTERM or SIGINT, then drain.

        Everything that has arrived is delivered and acknowledged, or left to the MQTT broker, which
        has it still. Signals are taken over for the time of the call, so this belongs into the
        main thread.

        Raises:
            BaseException: whatever ended the pump against its will.
        """
        former = {
            number: signal.signal(number, lambda *_: self._stop.set())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            self._pump.start()
            self._session.start()
            while not self._stop.wait(_LOOK_S) and self._pump.alive and not self._session.failure:
                self._say_ready()
            # Whoever took the session over gets what is not acknowledged, and delivers it.
            patience = 0.0 if self._session.failure else self._settings.drain_timeout
            self._log.info("stopping", drain_timeout_s=patience)
            self._session.pause()
            drained = self._pump.drain(patience)
            self._session.close(_CLOSE_S)
            self._log.info("stopped", drained=str(drained).lower(), **self.stats.facts())
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
        failure = self._pump.failure or self._session.failure
        if failure is not None:
            raise failure

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
                note="the broker forgot the session; what it held for this bridge is gone with it",
            )
        if self._was_connected and self._settings.delivery == "exactly-once":
            # A broker closes the connection whose client id another client takes, and need not say
            # why; Kafka knows whether that was another bridge.
            self._pump.prove()
        self._was_connected = True
        self._mqtt.back(session="resumed" if resumed else "new")

    def disconnected(self, why: str) -> None:
        """See `bridge.session.SessionEvents`."""
        self._mqtt.lost(why)

    def vitals(self) -> list[Vitals]:
        """The state of each lane, for whoever asks over HTTP; from any thread."""
        return [
            Vitals(
                client_id=self._settings.client_id,
                stats=self.stats,
                pumping=self._pump.alive,
                listening=self._session.alive,
                subscribed=bool(self._mqtt.available),
                kafka=bool(self._kafka.available) and self._pump.opened.is_set(),
            )
        ]

    def _say_ready(self) -> None:
        if not self._was_ready and self._mqtt.available and self._pump.opened.is_set():
            self._was_ready = True
            self._log.info(
                "ready",
                mqtt=self._settings.mqtt,
                kafka=self._settings.brokers,
                topic=self._settings.topic,
            )
