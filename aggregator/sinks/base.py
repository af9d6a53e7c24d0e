"""What a sink of snapshots is, and what its module says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import TextIO

    from aggregator.analytics.snapshot import Snapshot
    from isotherm.kafka.access import KafkaAccess
    from isotherm.log import Log

QUEUE: Final = 100
"""Snapshots that wait for a slow sink at most: five minutes of them."""


class Sink(Protocol):
    """Takes the snapshots of a job in order; the same one again after a crash."""

    def emit(self, snapshot: Snapshot) -> None:
        """Show or store one snapshot; raise SinkError where it cannot be kept."""

    def close(self) -> None:
        """No snapshot comes any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContext:
    """What the job gives to each sink.

    Attributes:
        access: the way into Kafka.
        stdout: for people.
        log: of the job.
        hangups: how often SIGHUP came, which asks for files to be opened again.
    """

    access: KafkaAccess
    stdout: TextIO
    log: Log
    hangups: Callable[[], int] = lambda: 0


@dataclass(frozen=True, slots=True)
class SinkKind:
    """One kind of sink; the factory finds it in the tuple `SINKS` of its module.

    Attributes:
        name: for the log and the label ``sink`` of the metrics.
        settings: a dataclass with its rows; they are rows of the job's settings.
        make: the sink out of its settings; None where they do not ask for it. Raises SinkError
            where a durable one cannot be written, SettingsError where a file cannot be used. A
            package that only this sink needs is imported here.
        durable: where it fails the job ends with a sentence, and a restart repeats the batch.
            Otherwise it runs at best effort, in a thread of its own (`BestEffortSink`).
        queue: how many snapshots wait for it at best effort; the oldest is dropped. 1: only the
            latest counts.
        files: what it writes on this machine, for `doctor`: the flag, the path, whether it is a
            folder.
        secrets: the files with secrets that it reads, for `doctor`, by the keys of their settings.
        topics: what it writes in Kafka, for `doctor`: the topic, and what to do without it.
    """

    name: str
    settings: type
    make: Callable[[Any, SinkContext], Sink | None]
    durable: bool = False
    queue: int = QUEUE
    files: Callable[[Any], Iterable[tuple[str, Path, bool]]] = lambda _settings: ()
    secrets: Callable[[Any], Mapping[str, str | None]] = lambda _settings: {}
    topics: Callable[[Any], Iterable[tuple[str, str]]] = lambda _settings: ()
