"""The running bridge: its lanes, until a signal ends them."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.credentials import check_files
from bridge.kafka.errors import FencedError
from bridge.monitoring.stats import total
from bridge.mqtt.ways import USUAL, choose
from bridge.service.handover import Handover
from bridge.service.lane import Lane
from bridge.settings import SHARDS_IN_GROUP, group_id
from isotherm.log import SharedAvailability
from isotherm.mqtt.topics import shard_filter
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from bridge.monitoring.health import Vitals
    from bridge.settings import BridgeSettings
    from isotherm.log import Log

_LOOK_S: Final = 1.0
_NOTE_S: Final = 3600.0
"""How often an idle lane notes its session, since Kafka keeps a note no longer than a session."""


class Bridge:
    """One bridge.

    Args:
        settings: of the whole bridge.
        log: where its changes of state go.

    Raises:
        MissingClientError: the chosen Kafka client is not installed.
        MqttLibraryError: the installed paho-mqtt cannot be used.
        SettingsError: a file of a password or a certificate cannot be used.
    """

    def __init__(self, settings: BridgeSettings, log: Log) -> None:
        check_files(settings)
        self._settings = settings
        self._log = log
        self._stop = threading.Event()
        self._was_ready = False
        self.tasks = Tasks(log)
        kafka = SharedAvailability("kafka", log, brokers=settings.brokers)
        self._handover = Handover(
            settings,
            lambda session, note: Lane(session, kafka, log, self.tasks, ending=note),
            log,
        )
        # Without transactions there is nothing noted of other sessions.
        before = self._handover if settings.exactly_once else None
        self.lanes = [
            Lane(lane, kafka, log, self.tasks, before=before) for lane in lane_settings(settings)
        ]
        self._handover.lanes = self.lanes
        self._ended: list[Lane] = []

    def run(self) -> None:
        """Forward until SIGTERM or SIGINT, then drain.

        Everything that has arrived is delivered and acknowledged, or left to the MQTT broker, which
        has it still. Signals are taken over for the time of the call, so this belongs into the
        main thread. A lane whose client id another process takes over ends alone.

        Raises:
            FencedError: the last lane was taken over.
            BaseException: whatever ended a pump against its will.
        """
        way = choose()
        write = self._log.info if way.name == USUAL else self._log.warning
        write("mqtt library", way=way.name, note=way.note)
        former = {
            number: signal.signal(number, lambda *_: self._stop.set())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            for lane in self.lanes:
                lane.start()
            failure = self._watch()
            self._handover.stopping.set()
            running = self._running()
            self._log.info("stopping", drain_timeout_s=self._settings.drain_timeout)
            drained = stop_all(running, self._settings.drain_timeout)
            facts = total(lane.stats for lane in self.lanes).facts()
            self._log.info("stopped", drained=str(drained).lower(), **facts)
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
        if failure is not None:
            raise failure

    def _watch(self) -> BaseException | None:
        """Wait for a reason to stop; None for a signal."""
        noted = time.monotonic()
        while not self._stop.wait(_LOOK_S):
            if time.monotonic() - noted > _NOTE_S:
                noted = time.monotonic()
                for lane in self._running():
                    lane.note()
            for lane in self.lanes:
                if lane in self._ended or (failure := lane.failure) is None:
                    continue
                self._ended.append(lane)
                # Whoever took the session over gets what is not acknowledged, and delivers it.
                lane.stop(0.0)
                if not isinstance(failure, FencedError) or len(self._ended) == len(self.lanes):
                    return failure
                self._log.error("lane ended", client_id=lane.client_id, why=str(failure))
            self._say_ready()
        return None

    def vitals(self) -> list[Vitals]:
        """The state of each lane that has not been taken over, for whoever asks over HTTP."""
        return [lane.vitals() for lane in self._running()]

    def _running(self) -> list[Lane]:
        return [lane for lane in self.lanes if lane not in self._ended]

    def _say_ready(self) -> None:
        if not self._was_ready and all(lane.ready for lane in self._running()):
            self._was_ready = True
            self._log.info(
                "ready",
                mqtt=self._settings.mqtt,
                kafka=self._settings.brokers,
                topic=self._settings.topic,
            )


def lane_settings(settings: BridgeSettings) -> list[BridgeSettings]:
    """The settings of each lane: one for all filters, or one for each group of shards."""
    shards = settings.shards
    if shards is None:
        return [settings]
    groups = [
        shards[start : start + SHARDS_IN_GROUP] for start in range(0, len(shards), SHARDS_IN_GROUP)
    ]
    return [
        replace(
            settings,
            client_id=group_id(settings.client_id, group[0]),
            subscribe=tuple(shard_filter(shard) for shard in group),
        )
        for group in groups
    ]


def stop_all(lanes: list[Lane], drain_timeout: float) -> bool:
    """Stop lanes side by side; whether all that had arrived was delivered.

    Args:
        lanes: those that still run.
        drain_timeout: seconds, for all of them together.
    """
    if not lanes:
        return True
    with ThreadPoolExecutor(len(lanes)) as pool:
        return all(list(pool.map(partial(Lane.stop, drain_timeout=drain_timeout), lanes)))
