"""One Kafka node in KRaft mode, run from its jars."""

from __future__ import annotations

import base64
import socket
import struct
import subprocess
import uuid
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, ClassVar, Final

from deploy.errors import MissingPartError, ServiceFailedError
from deploy.local.ports import LOOPBACK
from deploy.local.services.base import Service
from deploy.local.services.jars import kafka_jars
from deploy.local.services.java import find_java
from isotherm.mqtt.topics import (
    ANALYTICS_SUFFIX,
    DEAD_LETTER_SUFFIX,
    KAFKA_READINGS,
    POSITIONS_SUFFIX,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deploy.local.process import Guard

_PROFILES: Final = Path(__file__).parents[2] / "kafka"
READINGS_PARTITIONS: Final = 4
"""Divides evenly among 1, 2 and 4 cores; each further one costs Spark a task per trigger."""

TOPICS: Final = {
    KAFKA_READINGS: READINGS_PARTITIONS,
    KAFKA_READINGS + DEAD_LETTER_SUFFIX: 1,
    KAFKA_READINGS + ANALYTICS_SUFFIX: 1,
    KAFKA_READINGS + POSITIONS_SUFFIX: 1,
}
"""Topic name to number of partitions."""

# ApiVersions version 0, correlation id 1, no client id.
_ASK: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class Kafka(Service):
    """The Kafka of a stack.

    Args:
        data: the stack's folder.
        guard: ends it should we die.
        port: where clients find it; None: 9092, or a free one if that is taken.
        usual_ports: whether to try the usual ports at all.
        report: shows the progress of the first fetch.
    """

    name: ClassVar[str] = "kafka"
    usual_ports: ClassVar[tuple[int, ...]] = (9092, 9093)
    patience: ClassVar[float] = 90.0
    # C1 alone: a broker that lives for minutes starts with half the CPU, which Spark needs then.
    java_options: ClassVar[tuple[str, ...]] = ("-Xms256m", "-Xmx1g", "-XX:TieredStopAtLevel=1")
    format_options: ClassVar[tuple[str, ...]] = ()
    """Such as the users that a broker with passwords has from its first start."""

    def __init__(
        self,
        data: Path,
        guard: Guard,
        port: int | None,
        *,
        usual_ports: bool,
        report: Callable[[str], None],
    ) -> None:
        super().__init__(data, guard, port, usual_ports=usual_ports)
        self._report = report

    def prepare(self) -> None:
        """Find Java, and fetch the jars the first time."""
        find_java()
        kafka_jars(self._report)

    def configure(self, *ports: int) -> None:
        """Write its configuration and format its folder the first time.

        Raises:
            ServiceFailedError: the folder cannot be formatted.
        """
        logs = self.folder / "logs"
        self._config.write_text(self.properties(*ports), encoding="utf-8")
        if (logs / "meta.properties").exists():
            return
        done = subprocess.run(
            [
                *self._java("-XX:TieredStopAtLevel=1", "-Xmx128m"),
                *("kafka.tools.StorageTool", "format", "--ignore-formatted"),
                *("-t", cluster_id(), "-c", str(self._config)),
                *self.format_options,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceFailedError(
                f"Kafka cannot format {logs}", (done.stdout + done.stderr).strip()
            )

    def properties(self, *ports: int) -> str:
        """Its configuration."""
        port, controller_port = ports
        return Template((_PROFILES / "server.properties").read_text(encoding="utf-8")).substitute(
            port=port,
            controller_port=controller_port,
            folder=(self.folder / "logs").resolve(),
            partitions=READINGS_PARTITIONS,
        )

    def command(self) -> Sequence[str]:
        """The program and its arguments."""
        log4j = _PROFILES / "log4j2.properties"
        return [
            *self._java(*self.java_options, f"-Dlog4j2.configurationFile={log4j}"),
            *("kafka.Kafka", str(self._config)),
        ]

    def answers(self) -> bool:
        """Ask it over its port whether it serves."""
        return kafka_answers(self.port)

    def when_ready(self) -> None:
        """Create the topics that are not there yet."""
        create_topics(f"{LOOPBACK}:{self.port}", TOPICS)

    def _java(self, *options: str) -> list[str]:
        jars = kafka_jars(self._report)
        return [str(find_java() / "bin/java"), *options, "-cp", f"{jars}/*"]

    @property
    def _config(self) -> Path:
        return self.folder / "server.properties"


def kafka_answers(port: int, timeout: float = 2.0) -> bool:
    """Whether a Kafka broker on loopback answers ApiVersions within `timeout` seconds."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout) as link:
            link.sendall(_ASK)
            answer = link.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return answer[4:] == struct.pack(">ih", 1, 0)


def cluster_id(draw: Callable[[], bytes] = lambda: uuid.uuid4().bytes) -> str:
    """A new cluster id: 16 bytes in 22 characters of base64url.

    Args:
        draw: a source of 16 random bytes.
    """
    while True:
        identity = base64.urlsafe_b64encode(draw()).decode().rstrip("=")
        # One in 64; on a command line it would read as a flag (Kafka's Uuid.randomUuid agrees).
        if not identity.startswith("-"):
            return identity


def create_topics(kafka: str, topics: Mapping[str, int]) -> None:
    """Create the topics that do not exist yet, and wait until each partition has a leader.

    Args:
        kafka: ``host:port``.
        topics: name to number of partitions.

    Raises:
        MissingPartError: kafka-python is not installed.
        ServiceFailedError: Kafka refuses, or has no leaders after 30 s.
    """
    try:
        from kafka.admin import KafkaAdminClient  # noqa: PLC0415 heavy, and status needs it not
        from kafka.errors import KafkaError  # noqa: PLC0415 the same
    except ImportError as error:
        raise MissingPartError(
            "kafka-python is not installed: pip install 'isotherm[all]'"
        ) from error
    try:
        with KafkaAdminClient(bootstrap_servers=kafka) as admin:
            known = set(admin.list_topics())
            new = {
                name: {"num_partitions": count}
                for name, count in topics.items()
                if name not in known
            }
            if new:
                admin.create_topics(new)
            admin.wait_for_topics(list(topics), timeout_ms=30_000)
    except KafkaError as error:
        raise ServiceFailedError(f"Kafka at {kafka} cannot create topics: {error}") from error
