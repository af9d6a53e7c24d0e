"""The command line: `isotherm-aggregator submit`, and the flags of the job, from one table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.history import history
from aggregator.settings import PREFIX, AggregatorSettings
from aggregator.submit import require_java, spark_submit
from contract.errors import EXIT_FINE, EXIT_OTHER, IsothermError
from contract.log import start_logging
from contract.settings import boolean, load, option, read_file, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def invoke(command: click.Command) -> int:
    """Run a command; a known error becomes its sentence and its exit code."""
    try:
        command.main(standalone_mode=False)
    except IsothermError as error:
        print(f"isotherm-aggregator: {error}", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return error.exit_code
    except click.Abort:
        return EXIT_OTHER
    return EXIT_FINE


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for row in reversed(rows(AggregatorSettings)):
        if row.flag is None:
            continue
        names, keywords = option(row, PREFIX)
        if row.parse is boolean:
            keywords |= {"is_flag": True, "flag_value": "true", "metavar": None}
        command = click.option(*names, **keywords)(command)
    return click.option(
        "--config", metavar="FILE", default=None, help="Settings as TOML; flags win over it."
    )(command)


def _load(config: str | None, flags: Mapping[str, Any]) -> AggregatorSettings:
    file = read_file(Path(config)) if config is not None else None
    return load(AggregatorSettings, PREFIX, file=file, environ=os.environ, flags=flags)


@click.command("job.py")
@_options
def job_command(config: str | None, **flags: Any) -> None:
    """Count readings from Kafka with Spark, and show the four analytics at every trigger."""
    settings = _load(config, flags)
    from aggregator.run import run  # noqa: PLC0415 --help must not wait for Spark

    run(settings, start_logging("aggregator"))


@click.group("isotherm-aggregator")
def group() -> None:
    """The analytics over readings in Kafka, computed by Spark."""


group.add_command(history)


@group.command("submit")
@_options
@click.option("--master", default=None, metavar="URL", help="Spark master; default: local[*].")
@click.option(
    "--conf",
    multiple=True,
    metavar="KEY=VALUE",
    help="A property of Spark, such as spark.executor.memory=2g; several are possible.",
)
@click.option("--print", "show", is_flag=True, help="Print the spark-submit line, and do nothing.")
def submit(
    config: str | None, master: str | None, conf: tuple[str, ...], *, show: bool, **flags: Any
) -> None:
    """Start the job with spark-submit, with the Kafka connector that fits."""
    _load(config, flags)
    arguments = [] if config is None else ["--config", config]
    for row in rows(AggregatorSettings):
        value = flags.get(row.name)
        if row.flag is not None and value is not None:
            arguments += [row.flag] if row.parse is boolean else [row.flag, value]
    line = spark_submit(arguments, environ=os.environ, master=master, conf=conf)
    if show:
        click.echo(line)
        return
    require_java(os.environ)
    line.execute(os.environ)
