"""The commands about the outbox; they only read, so an agent may run meanwhile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from edge_agent.settings.agent import PREFIX, AgentSettings, agent_file
from isotherm.errors import EXIT_FINE, EXIT_OTHER
from isotherm.settings.table import load

_config = click.option("--config", metavar="FILE", help="agent.toml, if outbox.path stands there.")


@click.group()
def outbox() -> None:
    """What waits for the broker. These commands only read; an agent may run meanwhile."""


@outbox.command()
@_config
def status(config: str | None) -> None:
    """Say what is in the outbox."""
    from edge_agent.outbox.inspect import Inspection  # noqa: PLC0415 only where it is needed

    with Inspection(Path(_settings(config).outbox)) as lookup:
        for name, value in lookup.facts().items():
            print(f"{name}: {value}")


@outbox.command()
@_config
def verify(config: str | None) -> int:
    """Look through the whole file.

    Exit code 0: it is well. 1: something is wrong with it.
    """
    from edge_agent.outbox.inspect import Inspection  # noqa: PLC0415 only where it is needed

    path = Path(_settings(config).outbox)
    with Inspection(path) as lookup:
        faults = list(lookup.faults())
        for fault in faults:
            print(f"fault: {fault}")
        if not faults:
            print(f"{path} is well: {lookup.saved.rows} rows")
    return EXIT_OTHER if faults else EXIT_FINE


@outbox.command()
@_config
def export(config: str | None) -> int:
    """Write all that waits to stdout, one reading or gap per line, and leave it there.

    Exit code 0: all rows could be read. 1: some are damaged.
    """
    from edge_agent.outbox.inspect import Inspection  # noqa: PLC0415 only where it is needed

    settings = _settings(config)
    out = sys.stdout.buffer
    with Inspection(Path(settings.outbox)) as lookup:
        try:
            for line in lookup.lines(settings.destination):
                out.write(line + b"\n")
            out.flush()
        except BrokenPipeError:
            # The reader has seen enough; Python would complain once more when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if lookup.damaged:
            print(f"{lookup.damaged} rows are damaged and left out", file=sys.stderr)
        return EXIT_OTHER if lookup.damaged else EXIT_FINE


def _settings(config: str | None) -> AgentSettings:
    tables = {} if config is None else agent_file(config)
    tables.pop("probe", None)
    return load(AgentSettings, PREFIX, file=tables, environ=os.environ)
