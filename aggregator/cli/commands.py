"""The command line: `isotherm-aggregator submit`, and the flags of the job, from one table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aggregator.cli.history import history
from aggregator.cli.ledger import ledger_group
from aggregator.kafka.java import check_access
from aggregator.settings import PREFIX, AggregatorSettings
from aggregator.stream.submit import require_java, spark_submit
from isotherm.doctor.finding import tell
from isotherm.errors import EXIT_FINE, EXIT_OTHER, IsothermError
from isotherm.log import start_logging
from isotherm.settings.table import boolean, load, option, read_file, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REBUILD: Final = "--rebuild-ledger"


def invoke(command: click.Command) -> int:
    """Run a command; a known error becomes its sentence and its exit code."""
    try:
        code = command.main(standalone_mode=False)
    except IsothermError as error:
        print(f"isotherm-aggregator: {error}", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return error.exit_code
    except click.Abort:
        return EXIT_OTHER
    # What a command returns, or was told to exit with.
    return code if isinstance(code, int) else EXIT_FINE


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
@click.option(REBUILD, "anew", is_flag=True, help="Make the ledger anew from the topic, and end.")
def job_command(config: str | None, *, anew: bool, **flags: Any) -> None:
    """Count readings from Kafka with Spark, and show the four analytics at every trigger."""
    settings = _load(config, flags)
    check_access(settings.access)
    log = start_logging("aggregator")
    if anew:
        from aggregator.cli.rebuild import rebuild  # noqa: PLC0415 --help must not wait for Spark

        rebuild(settings, log)
        return
    from aggregator.cli.run import run  # noqa: PLC0415 the same

    run(settings, log)


@click.group("isotherm-aggregator")
def group() -> None:
    """The analytics over readings in Kafka, computed by Spark."""


group.add_command(ledger_group)
group.add_command(history)


def _spark_options(command: Callable[..., None]) -> Callable[..., None]:
    for names, keywords in (
        (
            ("--print", "show"),
            {"is_flag": True, "help": "Print the spark-submit line, and end."},
        ),
        (
            ("--conf",),
            {
                "multiple": True,
                "metavar": "KEY=VALUE",
                "help": "A property of Spark, such as spark.executor.memory=2g; repeatable.",
            },
        ),
        (("--master",), {"metavar": "URL", "help": "Spark master; default: local[*]."}),
    ):
        command = click.option(*names, **keywords)(command)
    return _options(command)


@group.command("submit")
@_spark_options
def submit(**given: Any) -> None:
    """Start the job with spark-submit, with the Kafka connector that fits."""
    _submit(**given)


@group.command("doctor")
@_options
def doctor(config: str | None, **flags: Any) -> None:
    """Check what the job depends on, a sentence each; a running job is not disturbed.

    Exit code 0: nothing failed. 3: Java, the connector or Kafka is missing. 1: something else
    failed.
    """
    from aggregator.doctor.examine import examine  # noqa: PLC0415 submit needs no Kafka client

    click.get_current_context().exit(tell(examine(_load(config, flags)), click.echo))


@ledger_group.command("rebuild")
@_spark_options
def rebuild_command(**given: Any) -> None:
    """Read the topic again into a new ledger, up to where the checkpoint stands."""
    _submit(REBUILD, **given)


def _submit(
    *words: str,
    config: str | None,
    master: str | None,
    conf: tuple[str, ...],
    show: bool,
    **flags: Any,
) -> None:
    settings = _load(config, flags)
    arguments = [*words, *([] if config is None else ["--config", config])]
    for row in rows(AggregatorSettings):
        value = flags.get(row.name)
        if row.flag is not None and value is not None:
            arguments += [row.flag] if row.parse is boolean else [row.flag, value]
    line = spark_submit(arguments, environ=os.environ, master=master, conf=conf)
    if show:
        click.echo(line)
        return
    check_access(settings.access)
    require_java(os.environ)
    line.execute(os.environ)
