"""The command line: `isotherm-bridge`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from isotherm.doctor.finding import tell
from isotherm.errors import EXIT_DEPENDENCY, IsothermError

if TYPE_CHECKING:
    from bridge.settings import BridgeSettings

try:
    import click
    import paho.mqtt.client  # noqa: F401 imported here, so that its absence gives a sentence
    import prometheus_client  # noqa: F401 the same
except ImportError as missing:
    sys.stderr.write(f"isotherm-bridge needs {missing.name}: pip install 'isotherm[bridge]'\n")
    sys.exit(EXIT_DEPENDENCY)

import gc
import os
from pathlib import Path

from bridge.credentials import check_files
from bridge.settings import PREFIX, BridgeSettings
from isotherm.log import start_logging
from isotherm.settings.table import load, option, read_file, rows, sample

_GC_THRESHOLD = 100_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="isotherm")
def cli() -> None:
    """Forward readings from MQTT to Kafka; acknowledge only what Kafka confirmed."""


def _settings_options(command: Any) -> Any:
    for row in reversed(rows(BridgeSettings)):
        if row.flag:
            names, keywords = option(row, PREFIX)
            command = click.option(*names, **keywords)(command)
    return click.option(
        "--config", type=click.Path(path_type=Path), help="Settings file (bridge.toml)."
    )(command)


def _load(config: Path | None, flags: dict[str, Any]) -> BridgeSettings:
    return load(
        BridgeSettings,
        PREFIX,
        file=read_file(config) if config else None,
        environ=os.environ,
        flags=flags,
    )


@cli.command()
@click.option("--verbose", is_flag=True, help="Log debug lines too.")
@_settings_options
def run(config: Path | None, *, verbose: bool, **flags: Any) -> None:
    """Forward until SIGTERM or Ctrl-C."""
    from bridge.monitoring.http import observed  # noqa: PLC0415 as below
    from bridge.service.service import Bridge  # noqa: PLC0415 check-config needs no client libraries

    log = start_logging("bridge", verbose=verbose)
    settings = _load(config, flags)
    bridge = Bridge(settings, log)
    # Batches are many small objects without cycles; looking for some takes as long as judging them.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    with observed(settings, bridge.vitals, log, bridge.tasks):
        bridge.run()


@cli.command("check-config")
@_settings_options
def check_config(config: Path | None, **flags: Any) -> None:
    """Read the settings as `run` would, and show them; nothing is connected."""
    settings = _load(config, flags)
    check_files(settings)
    for row in rows(BridgeSettings):
        value = getattr(settings, row.name)
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        click.echo(f"{row.key} = {'' if shown is None else shown}")


@cli.command()
@_settings_options
def doctor(config: Path | None, **flags: Any) -> None:
    """Check what the bridge depends on, a sentence each; a running bridge is not disturbed."""
    from bridge.doctor.checks import run_checks  # noqa: PLC0415 as above

    sys.exit(tell(run_checks(_load(config, flags)), click.echo))


@cli.command("sample-config")
def sample_config() -> None:
    """Print a commented bridge.toml with every key at its default."""
    click.echo(sample(BridgeSettings, title="isotherm-bridge: bridge.toml"), nl=False)


def main() -> None:
    """The console script; ends with the exit codes of `isotherm.errors`."""
    try:
        cli(standalone_mode=True)
    except IsothermError as error:
        sys.stderr.write(f"isotherm-bridge: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
