"""The Kafka on which all contenders run; nothing else of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from benchmarks.bridge.rig import BenchKafka
from deploy.local.ports import LOOPBACK
from deploy.local.process import Guard
from deploy.local.services.kafka import READINGS_PARTITIONS, create_topics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Broker:
    """A Kafka of its own.

    Args:
        data: an empty folder.
        report: shows one line of progress.
    """

    partitions: ClassVar[int] = READINGS_PARTITIONS

    def __init__(self, data: Path, report: Callable[[str], None]) -> None:
        self._guard = Guard()
        self._kafka = BenchKafka(data, self._guard, None, usual_ports=False, report=report)

    def __enter__(self) -> Self:
        try:
            self._kafka.prepare()
            self._kafka.launch()
            self._kafka.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.stop(kill=True)
        self._guard.close()

    @property
    def kafka(self) -> str:
        """Its address, ``host:port``."""
        return f"{LOOPBACK}:{self._kafka.port}"

    def topic(self, name: str) -> str:
        """Make a topic of that name."""
        create_topics(self.kafka, {name: self.partitions})
        return name
