"""Which sinks a job has, and how much each may be relied on.

Durable: where one fails the job ends with a sentence, and a restart repeats the batch. Best effort:
where one fails or is slow, snapshots are dropped for it, counted and logged, and the job goes on.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

from aggregator import sinks as folder
from aggregator.sinks.best_effort import BestEffortSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack
    from pathlib import Path

    from aggregator.sinks.base import Sink, SinkContext, SinkKind
    from isotherm.tasks import Tasks


@cache
def kinds() -> tuple[SinkKind, ...]:
    """All kinds of sinks that the modules in this folder have, durable ones first."""
    names = [module.name for module in pkgutil.iter_modules(folder.__path__)]
    modules = [importlib.import_module(f"{folder.__name__}.{name}") for name in names]
    found = [kind for module in modules for kind in getattr(module, "SINKS", ())]
    return tuple(sorted(found, key=lambda kind: not kind.durable))


def make_sinks(
    settings: Mapping[str, Any], context: SinkContext, stack: ExitStack, tasks: Tasks
) -> list[Sink]:
    """The sinks that the settings ask for, durable ones first; closed with the stack.

    Args:
        settings: of the sinks, by the names of their kinds.
        context: of the job.
        stack: closes them.
        tasks: runs the threads of those at best effort.

    Raises:
        SinkError: a durable one cannot be written.
        SettingsError: a file of one cannot be used.
    """
    sinks: list[Sink] = []
    for kind in kinds():
        sink: Sink | None = kind.make(settings[kind.name], context)
        if sink is None:
            continue
        if not kind.durable:
            sink = BestEffortSink(kind.name, sink, context.log, room=kind.queue, tasks=tasks)
        stack.callback(sink.close)
        sinks.append(sink)
    return sinks


def holds_files(settings: Mapping[str, Any]) -> bool:
    """Whether a sink has a file open, which logrotate may move away."""
    return any(True for kind in kinds() if kind.durable for _ in kind.files(settings[kind.name]))


def files(settings: Mapping[str, Any]) -> Iterator[tuple[str, Path, bool]]:
    """What the sinks write on this machine: the flag, the path, whether it is a folder."""
    for kind in kinds():
        yield from kind.files(settings[kind.name])


def secrets(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """The files with secrets that the sinks read, by the keys of their settings."""
    return {
        key: path for kind in kinds() for key, path in kind.secrets(settings[kind.name]).items()
    }


def topics(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The topics that the sinks write: the name, and what to do without it."""
    for kind in kinds():
        yield from kind.topics(settings[kind.name])
