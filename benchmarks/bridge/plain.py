"""The forwarders that anybody would write first: a paho callback, and a send for each message.

They acknowledge once Kafka has the record, as the bridge does. Beyond that they do nothing: no
validation, no dead letters, no order under errors, no counts; and an acknowledgement that comes
after a reconnect may go to another message. Each is run as a process of its own:
``python -m benchmarks.bridge.plain confluent|kafka-python MQTT_PORT KAFKA TOPIC CLIENT_ID WINDOW``.
"""

from __future__ import annotations

import re
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from collections.abc import Callable

_GUID: Final = re.compile(rb'"guid":"([^"]*)"')
_WEEK_S: Final = 7 * 86_400


class _Send(Protocol):
    def __call__(self, key: bytes, value: bytes, done: Callable[[], object], /) -> object: ...


def confluent(kafka: str, topic: str) -> _Send:
    """One `produce` a message."""
    from confluent_kafka import Producer  # noqa: PLC0415 each contender loads its own client only

    producer = Producer({"bootstrap.servers": kafka, "acks": "all", "enable.idempotence": True})

    def poll() -> None:
        while True:
            producer.poll(1.0)

    threading.Thread(target=poll, daemon=True).start()

    def send(key: bytes, value: bytes, done: Callable[[], object]) -> None:
        def report(error: Any, _message: Any) -> None:
            if error is None:
                done()

        producer.produce(topic, value, key, on_delivery=report)

    return send


def kafka_python(kafka: str, topic: str) -> _Send:
    """One `send` a message."""
    from kafka import KafkaProducer  # noqa: PLC0415 as above

    producer = KafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=5
    )

    def send(key: bytes, value: bytes, done: Callable[[], object]) -> None:
        producer.send(topic, value, key).add_callback(lambda _metadata: done())

    return send


def client(client_id: str, window: int, on_message: Any) -> tuple[paho.Client, Properties]:
    """A paho client with a session that lasts, and its CONNECT properties."""
    made = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5, manual_ack=True
    )

    def subscribe(*_: Any) -> None:
        made.subscribe("isotherm/v1/readings/#", 1)

    made.on_connect = subscribe
    made.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own gap
    properties.ReceiveMaximum = window
    properties.SessionExpiryInterval = _WEEK_S
    return made, properties


def forward(port: int, client_id: str, window: int, send: _Send) -> None:
    """Forward until killed; a message of several lines becomes a record a line."""

    def on_message(mqtt: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        lines = bytes(message.payload).split(b"\n")
        left = len(lines)
        mid = message.mid

        def done() -> None:
            nonlocal left
            left -= 1
            if not left:
                mqtt.ack(mid, 1)

        for line in lines:
            found = _GUID.search(line)
            assert found is not None
            send(found[1], line, done)

    mqtt, properties = client(client_id, window, on_message)
    mqtt.connect("127.0.0.1", port, clean_start=False, properties=properties)
    mqtt.loop_forever()


if __name__ == "__main__":
    library, mqtt_port, brokers, kafka_topic, name, receive_maximum = sys.argv[1:]
    assert mqtt_port.isdecimal()
    sender = {"confluent": confluent, "kafka-python": kafka_python}[library]
    forward(int(mqtt_port), name, int(receive_maximum), sender(brokers, kafka_topic))
