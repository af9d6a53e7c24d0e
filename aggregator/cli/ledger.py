"""`isotherm-aggregator ledger status|verify|export`: looks into a ledger that no job has open."""

from __future__ import annotations

import csv
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.errors import BrokenLedgerError
from aggregator.kafka.checkpoint import read_checkpoint
from aggregator.ledger.report import exported, opened, problems, status
from aggregator.settings import ledger_beside
from isotherm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection


def _place(command: Callable[..., None]) -> Callable[..., None]:
    for flag, metavar, text in (
        ("--ledger", "FILE", "The ledger; default: CHECKPOINT.ledger.duckdb."),
        ("--checkpoint", "DIR", "The job's checkpoint, beside which the ledger lies."),
    ):
        command = click.option(flag, metavar=metavar, default=None, help=text)(command)
    return command


def _file(checkpoint: str | None, ledger: str | None) -> Path:
    if ledger is not None:
        return Path(ledger)
    if checkpoint is None:
        raise SettingsError("--ledger", None, "name the ledger, or the --checkpoint beside it")
    return ledger_beside(Path(checkpoint))


@click.group("ledger")
def ledger_group() -> None:
    """Look into the totals since the start while no job runs; rebuild makes them anew."""


@ledger_group.command("status")
@_place
def status_command(checkpoint: str | None, ledger: str | None) -> None:
    """Show its last batch, sensors, readings, audit, rejected records and size."""
    path = _file(checkpoint, ledger)
    with opened(path) as connection:
        click.echo(f"ledger: {path}")
        for name, value in status(connection).items():
            click.echo(f"{name}: {value}")
    click.echo(f"bytes: {_size(path)}")


@ledger_group.command("verify")
@_place
def verify_command(checkpoint: str | None, ledger: str | None) -> None:
    """See whether its numbers agree with each other, and with the checkpoint if one is given."""
    path = _file(checkpoint, ledger)
    known = None if checkpoint is None else read_checkpoint(Path(checkpoint))
    with opened(path) as connection:
        found = problems(connection, known)
    if found:
        raise BrokenLedgerError(f"the ledger {path} is not well: {'; '.join(found)}")
    click.echo(f"the ledger {path} is well")


@ledger_group.command("export")
@_place
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="CSV with a header, or one JSON object per line.",
)
@click.option("--output", metavar="FILE", default=None, help="Default: stdout.")
def export_command(
    checkpoint: str | None, ledger: str | None, *, kind: str, output: str | None
) -> None:
    """Write every sensor with its totals and its audit."""
    with ExitStack() as stack:
        connection = stack.enter_context(opened(_file(checkpoint, ledger)))
        try:
            stream = sys.stdout
            if output is not None:
                stream = stack.enter_context(Path(output).open("w", encoding="utf-8", newline=""))
            _write(connection, kind, stream)
        except BrokenPipeError:
            # As `… | head` does; Python would complain about it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            raise SettingsError(
                "--output", output, f"name a file that can be written ({error})"
            ) from error


def _write(connection: DuckDBPyConnection, kind: str, stream: Any) -> None:
    rows: Iterator[dict[str, Any]] = exported(connection)
    if kind == "jsonl":
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    else:
        first = next(rows, None)
        if first is not None:
            writer = csv.DictWriter(stream, first, lineterminator="\n")
            writer.writeheader()
            writer.writerow(first)
            writer.writerows(rows)
    stream.flush()


def _size(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}.wal"))
    return sum(file.stat().st_size for file in files if file.exists())
