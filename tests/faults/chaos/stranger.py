"""Sends what is hostile, each parcel in its own time, until it is taken."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Producer
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from deploy.local.ports import LOOPBACK
from isotherm.mqtt.topics import KAFKA_READINGS
from tests.faults.chaos.hostile import HalfOpen, Message, Record, Visit
from tests.faults.chaos.plan import BRIDGE
from tests.faults.chaos.verdict import Sent
from tests.support import ROOT, await_true, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.chaos.hostile import Parcel

PATIENCE: Final = 180.0
"""Seconds for one parcel: a broker may be down, stopped or full for a while."""
BRIDGE_ID: Final = "isotherm-bridge"
ANALYTICS: Final = f"{KAFKA_READINGS}.analytics"
LARGEST: Final = 4_000_000
"""Bytes; what is above it the MQTT broker keeps from the bridge, which says what it takes."""
_WEEK: Final = 7 * 86_400


class Stranger:
    """Everybody who sends beside the agents.

    Args:
        mqtt: mosquitto's port.
        kafka: ``host:port``.
        http: all ports where programs answer over HTTP.
        report: told what could not be sent.

    Attributes:
        sent: what went out, and must be found again.
        noted: why something was not sent that no broker that is away explains.
    """

    def __init__(
        self, mqtt: int, kafka: str, http: Sequence[int], report: Callable[[str], None]
    ) -> None:
        self.sent: list[Sent] = []
        self.noted: list[str] = []
        self._mqtt = mqtt
        self._http = http
        self._report = report
        self._number = 0
        self._threads: list[threading.Thread] = []
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "enable.idempotence": True,
                "message.max.bytes": 2_000_000,
                "message.timeout.ms": int(PATIENCE * 1000),
                # It tells of each outage on stderr.
                "log_level": 0,
            }
        )
        self._producer_lock = threading.Lock()

    def send(self, kind: str, parcels: Sequence[Parcel]) -> None:
        """Begin to send; see `finish`."""
        thread = threading.Thread(target=self._send, args=(kind, parcels), name=kind, daemon=True)
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        """Wait until all is sent."""
        for thread in self._threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                self.noted.append(f"hostile {thread.name} is still being sent")
        if self._producer.flush(PATIENCE):
            self._report("Kafka has not taken every hostile record")

    def poll(self) -> None:
        """Hear what Kafka took; call it often."""
        self._producer.poll(0)

    def _send(self, kind: str, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            try:
                self._one(kind, parcel)
            except OSError as error:
                # A broker that is away; what was not taken is not accounted for.
                self._report(f"{kind}: {type(parcel).__name__} not sent: {error}")
            except Exception as error:  # noqa: BLE001 a run that sends nothing must not pass
                self.noted.append(f"hostile {kind} was not sent: {error!r}")

    def _one(self, kind: str, parcel: Parcel) -> None:
        match parcel:
            case Message():
                self._publish(kind, parcel)
            case Record():
                self._produce(kind, parcel)
            case Visit():
                self._visit(parcel)
            case HalfOpen():
                self._half_open(parcel)

    def _publish(self, kind: str, message: Message) -> None:
        self._number += 1
        topic = message.topic or f"isotherm/v1/readings/00/{unique(f'hostile-{kind}')}"
        client = _client(unique("stranger"))
        client.connect_async(LOOPBACK, self._mqtt, clean_start=True)
        client.loop_start()
        try:
            _await(client.is_connected)
            done = client.publish(topic, message.payload, qos=1, retain=message.retain)
            _await(done.is_published)
        finally:
            client.disconnect()
            client.loop_stop()
        if not message.topic:
            large = len(message.payload) > LARGEST
            self.sent.append(Sent(kind, topic, None, message.payload, optional=large))

    def _produce(self, kind: str, record: Record) -> None:
        def told(error: Any, message: Any) -> None:
            if error is not None:
                self._report(f"{kind}: Kafka did not take a record: {error}")
            elif not record.snapshots:
                place = message.partition(), message.offset()
                self.sent.append(Sent(kind, "", place, record.value))

        self._producer.produce(
            ANALYTICS if record.snapshots else KAFKA_READINGS,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            on_delivery=told,
        )

    def _visit(self, visit: Visit) -> None:
        # It acknowledges nothing: what is acknowledged is gone for whom it was meant.
        client = _client(BRIDGE_ID if visit.client_id == BRIDGE else visit.client_id)
        client.manual_ack_set(True)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 0 if visit.clean else _WEEK
        session.ReceiveMaximum = 10
        client.connect(LOOPBACK, self._mqtt, clean_start=visit.clean, properties=session)
        client.loop_start()
        time.sleep(visit.seconds)
        # Without a DISCONNECT, since the session shall stay as it is.
        client.loop_stop()
        if (sock := client.socket()) is not None:
            sock.close()

    def _half_open(self, parcel: HalfOpen) -> None:
        words = [str(parcel.each), str(parcel.seconds), *map(str, self._http)]
        subprocess.run(
            [sys.executable, "-m", "tests.faults.chaos.half_open", *words],
            cwd=ROOT,
            check=True,
            timeout=PATIENCE,
        )


def _await(condition: Callable[[], bool]) -> None:
    try:
        await_true(condition, "a PUBACK", PATIENCE)
    except (AssertionError, RuntimeError, ValueError) as error:
        # The last two are paho's, for a connection that ended at the wrong moment.
        raise TimeoutError(str(error)) from error


def _client(name: str) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
    client.reconnect_delay_set(1, 1)
    return client
