"""The way to both brokers through proxies that a test can cut, reset and slow down."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar, Final, Self
from urllib.parse import urlsplit

from deploy.demo.fleet.network import Proxy
from deploy.local.ports import LOOPBACK
from deploy.local.process import Guard
from deploy.local.services.kafka import Kafka, create_topics

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.local import Stack

NOWHERE: Final = "nowhere.invalid"
"""A host name that is never found (RFC 6761, section 6.4)."""


class DistantKafka(Kafka):
    """Listeners: plain; one that says it is at the proxy; one that says it is nowhere."""

    usual_ports: ClassVar[tuple[int, ...]] = (0, 0, 0, 0)
    proxy_port = 0
    distant_port = 0
    misled_port = 0

    def properties(self, *ports: int) -> str:
        """The profile with further listeners."""
        port, controller, self.distant_port, self.misled_port = ports
        listeners = {
            "PLAINTEXT": (f"{LOOPBACK}:{port}", port),
            "DISTANT": (f"{LOOPBACK}:{self.proxy_port}", self.distant_port),
            "MISLED": (f"{NOWHERE}:{self.misled_port}", self.misled_port),
        }
        here = [f"{name}://{LOOPBACK}:{at}" for name, (_said, at) in listeners.items()]
        said = [f"{name}://{where}" for name, (where, _at) in listeners.items()]
        kinds = [f"{name}:PLAINTEXT" for name in (*listeners, "CONTROLLER")]
        lines = [
            super().properties(port, controller),
            f"listeners={','.join(here)},CONTROLLER://{LOOPBACK}:{controller}",
            f"advertised.listeners={','.join(said)}",
            f"listener.security.protocol.map={','.join(kinds)}",
        ]
        return "\n".join(lines) + "\n"


class Network:
    """A Kafka of its own and the stack's mosquitto, each behind a proxy.

    Args:
        stack: whose mosquitto it is.
        folder: for Kafka.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.mqtt = stack.mqtt
        mqtt_port = urlsplit(stack.mqtt).port
        assert mqtt_port is not None
        self._guard = Guard()
        self._kafka = DistantKafka(folder, self._guard, None, usual_ports=False, report=print)
        self.to_mqtt = Proxy(lambda: mqtt_port)
        self.to_kafka = Proxy(lambda: self._kafka.distant_port)
        self._kafka.proxy_port = self.to_kafka.port
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self._guard.close)
            starting.enter_context(self.to_mqtt)
            starting.enter_context(self.to_kafka)
            starting.callback(self._kafka.stop, kill=True)
            self._kafka.prepare()
            self._kafka.launch()
            self._kafka.wait_ready()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def kafka(self) -> str:
        """Past the proxy, for whoever looks on."""
        return f"{LOOPBACK}:{self._kafka.port}"

    @property
    def distant_mqtt(self) -> str:
        """Through the proxy."""
        return f"mqtt://{LOOPBACK}:{self.to_mqtt.port}"

    @property
    def distant_kafka(self) -> str:
        """Through the proxy."""
        return f"{LOOPBACK}:{self.to_kafka.port}"

    @property
    def misled_kafka(self) -> str:
        """Where Kafka answers, but says that it is at `NOWHERE`."""
        return f"{LOOPBACK}:{self._kafka.misled_port}"

    def create_topics(self, *names: str, partitions: int = 1) -> None:
        """As `Stack.create_topics`."""
        create_topics(self.kafka, dict.fromkeys(names, partitions))
