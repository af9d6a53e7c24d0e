"""Which sinks a job has, and how much each may be relied on.

Durable: ``--snapshots`` and ``--history``. Where they fail the job ends with a sentence, and a
restart repeats the batch. Best effort: the console, ``--latest`` and ``--analytics-topic``. Where
they fail or are slow, snapshots are dropped for them, counted and said, and the job goes on.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from aggregator.settings import OFF, TABLE
from aggregator.sinks.best_effort import BestEffortSink
from aggregator.sinks.console import render
from aggregator.sinks.files import ConsoleSink, HistorySink, JsonLinesSink, LatestSink
from aggregator.sinks.table import render_table, terminal_width

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from aggregator.analytics.snapshot import Snapshot
    from aggregator.settings import AggregatorSettings
    from aggregator.sinks.files import Sink
    from isotherm.log import Log
    from isotherm.tasks import Tasks

ROOM: Final = 100
"""Snapshots that wait for a slow sink: five minutes of them."""


def make_sinks(
    settings: AggregatorSettings,
    stdout: TextIO,
    log: Log,
    stack: ExitStack,
    *,
    tasks: Tasks,
    hangups: Callable[[], int] = lambda: 0,
) -> list[Sink]:
    """The sinks that the settings ask for, durable ones first; closed with the stack.

    Args:
        settings: of the job.
        stdout: for the console.
        log: of the job.
        stack: closes them.
        tasks: runs the threads of those that may fail.
        hangups: how often the durable ones were told to open their files again.

    Raises:
        SinkError: a durable one cannot be written.
    """
    sinks: list[Sink] = []
    if settings.snapshots is not None:
        sinks.append(JsonLinesSink(Path(settings.snapshots), hangups=hangups))
    if settings.history is not None:
        sinks.append(HistorySink(Path(settings.history), hangups))
    if settings.console != OFF:
        layout = _table if settings.console == TABLE else render
        sinks.append(_console(stdout, layout, log, tasks))
    if settings.latest is not None:
        sinks.append(
            BestEffortSink("latest", LatestSink(Path(settings.latest)), log, room=1, tasks=tasks)
        )
    if settings.analytics is not None:
        from aggregator.sinks.kafka import KafkaSink  # noqa: PLC0415 only where it is wanted

        kafka = KafkaSink(settings.access, settings.analytics)
        sinks.append(BestEffortSink("kafka", kafka, log, room=ROOM, tasks=tasks))
    for sink in sinks:
        stack.callback(sink.close)
    return sinks


def _console(stdout: TextIO, layout: Callable[[Snapshot], str], log: Log, tasks: Tasks) -> Sink:
    # Unbuffered: a thread that hangs in a buffered stream would abort Python when it ends.
    stream = io.TextIOWrapper(
        io.FileIO(os.dup(stdout.fileno()), "w"),
        encoding="utf-8",
        write_through=True,
    )
    return BestEffortSink("console", ConsoleSink(stream, layout), log, room=ROOM, tasks=tasks)


def _table(snapshot: Snapshot) -> str:
    return render_table(snapshot, terminal_width())
