"""The command line: `python -m deploy.local up|down|status`."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from deploy.errors import ForeignStateError
from deploy.local.ownership import ours, owner_runs
from deploy.local.process import await_end
from deploy.local.stack import Stack, end_services, signal_process, state_path
from deploy.local.state import read_state
from deploy.local.status.part import UP
from deploy.local.status.status import parts, running_demos
from deploy.local.status.table import as_json, table
from isotherm.errors import EXIT_DEPENDENCY, EXIT_OTHER, IsothermError

if TYPE_CHECKING:
    from types import FrameType

DATA: Final = Path(".stack")
_LOOK_EVERY: Final = 0.5
_DOWN_TIMEOUT: Final = 60.0

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA,
    show_default=True,
    help="The folder of the stack: data, configuration, logs, state.",
)
_port = click.IntRange(1, 65_535)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Mosquitto and Kafka on this machine's loopback, for trying things out and for tests."""


@cli.command()
@_data
@click.option("--mqtt-port", type=_port, help="Default: 1883, or a free one if that is taken.")
@click.option("--kafka-port", type=_port, help="Default: 9092, or a free one if that is taken.")
def up(data: Path, mqtt_port: int | None, kafka_port: int | None) -> None:
    """Start the stack and keep it up until Ctrl-C, SIGTERM or `down`."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    with Stack(data, mqtt_port=mqtt_port, kafka_port=kafka_port, report=_report) as stack:
        print(f"MQTT   {stack.mqtt}")
        print(f"Kafka  {stack.kafka}")
        print(f"data   {stack.data}")
        for service in stack.services:
            print(f"log    {service.log}")
        print("up; Ctrl-C stops it", flush=True)
        while True:
            time.sleep(_LOOK_EVERY)
            stack.check()


@cli.command()
@_data
def down(data: Path) -> None:
    """Stop the stack of a data folder, wherever it was started."""
    record = read_state(state_path(data))
    if record is None:
        print(f"nothing runs in {data}")
        return
    owner, mine = record.owner, ours(record, data)
    own = owner_runs(record, data)
    strangers = [
        str(process.pid)
        for process, known in (
            (owner, own),
            *((one.process, name in mine.services) for name, one in record.services.items()),
        )
        if process.runs and not known
    ]
    if own:
        signal_process(owner, signal.SIGTERM)
        if not await_end(owner.pid, owner.started, _DOWN_TIMEOUT):
            signal_process(owner, signal.SIGKILL)
    end_services(mine)
    if strangers:
        raise ForeignStateError(state_path(data), strangers)
    state_path(data).unlink(missing_ok=True)
    print(f"stopped what ran in {data}")


@cli.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the stack, or of a demo. Default: .stack, and every demo that runs.",
)
@click.option("--json", "as_wire", is_flag=True, help="The same for scripts.")
def status(data: Path | None, *, as_wire: bool) -> None:
    """Show what runs, since when, where, how fast, how far behind; 0 if all is up, else 3."""
    folders = [data] if data is not None else _usual_folders()
    found = {folder: read_state(state_path(folder)) for folder in folders}
    looked = {folder: parts(record) if record else [] for folder, record in found.items()}
    if as_wire:
        stacks = [
            {"data": str(folder), "parts": [as_json(part) for part in rows]}
            for folder, rows in looked.items()
        ]
        print(json.dumps({"stacks": stacks}, indent=2))
    else:
        for folder, rows in looked.items():
            if rows:
                print(f"data and logs: {folder}\n{table(rows, folder, time.time())}")
            else:
                print(f"nothing runs in {folder}")
    well = all(rows and all(part.state == UP for part in rows) for rows in looked.values())
    sys.exit(0 if well else EXIT_DEPENDENCY)


def _usual_folders() -> list[Path]:
    demos = running_demos()
    return demos if demos and read_state(state_path(DATA)) is None else [DATA, *demos]


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except IsothermError as error:
        print(f"isotherm stack: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(0)
    except OSError as error:
        print(f"isotherm stack: {error}", file=sys.stderr)
        sys.exit(EXIT_OTHER)
    sys.exit(0)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
