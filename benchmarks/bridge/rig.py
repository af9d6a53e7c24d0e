"""What all contenders run on: one MQTT broker, one Kafka, nothing else of the project."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from benchmarks.bridge.recent import recent_mosquitto
from deploy.local.process import Guard
from deploy.local.services.kafka import Kafka
from deploy.local.services.mosquitto import Mosquitto
from deploy.local.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
{user}
persistence false
max_queued_messages 10000000
max_inflight_messages 0
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""


class BenchMosquitto(Mosquitto):
    """A mosquitto that keeps its queue in memory: its disk is not what is compared."""

    program: str = ""

    def configure(self, *ports: int) -> None:
        """Write its configuration."""
        user = "user root" if os.geteuid() == 0 else ""
        self._config.write_text(_CONFIG.format(port=ports[0], user=user), encoding="utf-8")

    def command(self) -> Sequence[str]:
        """The program and its arguments."""
        return [self.program, "-c", str(self._config)]


class BenchKafka(Kafka):
    """Kafka as it is run for long: with Java's second compiler."""

    java_options: ClassVar[tuple[str, ...]] = ("-Xms1g", "-Xmx1g")


class Rig(Stack):
    """The stack of a benchmark.

    Args:
        data: an empty folder.
        report: shows one line of progress.
    """

    def __init__(self, data: Path, report: Callable[[str], None]) -> None:
        super().__init__(data, usual_ports=False, report=report)
        self._mosquitto: BenchMosquitto = BenchMosquitto(
            self.data, self._guard, None, usual_ports=False
        )
        self._mosquitto.program = recent_mosquitto(report)
        self._kafka = BenchKafka(self.data, self._guard, None, usual_ports=False, report=report)

    @property
    def mosquitto_program(self) -> str:
        """The broker's program."""
        return self._mosquitto.program

    @property
    def mqtt_port(self) -> int:
        """The broker's port."""
        return self._mosquitto.port


@contextmanager
def lone_mosquitto(data: Path, program: str) -> Iterator[int]:
    """A `BenchMosquitto` without the rest of the rig, empty at its start.

    Args:
        data: a folder for its configuration and log.
        program: see `recent_mosquitto`.

    Yields:
        Its port.
    """
    guard = Guard()
    broker = BenchMosquitto(data, guard, None, usual_ports=False)
    broker.program = program
    try:
        broker.launch()
        broker.wait_ready()
        yield broker.port
    finally:
        broker.stop()
        guard.close()
