"""The command line: `isotherm-dashboard`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from isotherm.errors import EXIT_DEPENDENCY, IsothermError

try:
    import click
    import confluent_kafka  # noqa: F401 asked for here, so that its absence is said in a sentence
    import paho.mqtt  # noqa: F401 the same
    import prometheus_client  # noqa: F401 the same
    import starlette  # noqa: F401 the same
    import uvicorn  # noqa: F401 the same
except ImportError as missing:
    sys.stderr.write(
        f"isotherm-dashboard needs {missing.name}: pip install 'isotherm[dashboard]'\n"
    )
    sys.exit(EXIT_DEPENDENCY)

import os
from pathlib import Path

from dashboard.settings import PREFIX, DashboardSettings
from isotherm.log import start_logging
from isotherm.settings.table import load, option, read_file, rows, sample, shown

if TYPE_CHECKING:
    from collections.abc import Callable


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="isotherm")
def cli() -> None:
    """The live page over the job's snapshots."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for row in reversed(rows(DashboardSettings)):
        if row.flag:
            names, keywords = option(row, PREFIX)
            command = click.option(*names, **keywords)(command)
    return click.option(
        "--config", type=click.Path(path_type=Path), help="Settings file (dashboard.toml)."
    )(command)


def _load(config: Path | None, flags: dict[str, Any]) -> DashboardSettings:
    settings = load(
        DashboardSettings,
        PREFIX,
        file=read_file(config) if config else None,
        environ=os.environ,
        flags=flags,
    )
    settings.check()
    return settings


@cli.command()
@_options
def run(config: Path | None, **flags: Any) -> None:
    """Serve the page until SIGTERM or Ctrl-C."""
    from dashboard.web.server import serve  # noqa: PLC0415 --help need not wait for it

    serve(_load(config, flags), start_logging("dashboard"))


@cli.command("check-config")
@_options
def check_config(config: Path | None, **flags: Any) -> None:
    """Read the settings as `run` would, and show them; nothing is connected."""
    settings = _load(config, flags)
    from dashboard.alerts.sinks.registry import check_files  # noqa: PLC0415 as above

    settings.access.check_files()
    check_files(settings.alert_sinks)
    for row, value in shown(settings):
        click.echo(f"{row.key} = {'' if value is None else value}")


@cli.command("sample-config")
def sample_config() -> None:
    """Print a commented dashboard.toml with every key at its default."""
    click.echo(sample(DashboardSettings, title="isotherm-dashboard: dashboard.toml"), nl=False)


def main() -> None:
    """The console script; ends with the exit codes of `isotherm.errors`."""
    try:
        cli(standalone_mode=True)
    except IsothermError as error:
        sys.stderr.write(f"isotherm-dashboard: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
