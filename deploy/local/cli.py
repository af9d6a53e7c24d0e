"""The command line: `python -m deploy.local up|down|status`."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from contract.errors import EXIT_DEPENDENCY, EXIT_OTHER, IsothermError
from deploy.local.kafka import Kafka, kafka_answers
from deploy.local.mosquitto import Mosquitto, mqtt_answers
from deploy.local.process import await_end
from deploy.local.stack import Stack, end_services, signal_process, state_path
from deploy.local.state import read_state

if TYPE_CHECKING:
    from types import FrameType

_ASK: Final = {Mosquitto.name: mqtt_answers, Kafka.name: kafka_answers}
_LOOK_EVERY: Final = 0.5
_DOWN_TIMEOUT: Final = 60.0

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".stack"),
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
    owner = record.owner
    if owner.runs:
        signal_process(owner, signal.SIGTERM)
        if not await_end(owner.pid, owner.started, _DOWN_TIMEOUT):
            signal_process(owner, signal.SIGKILL)
    end_services(record)
    state_path(data).unlink(missing_ok=True)
    print(f"stopped what ran in {data}")


@cli.command()
@_data
def status(data: Path) -> None:
    """Show what runs, and whether it answers; exit code 0 if all does, else 3."""
    record = read_state(state_path(data))
    if record is None:
        print(f"nothing runs in {data}")
        sys.exit(EXIT_DEPENDENCY)
    print(f"{'service':<10} {'pid':>7} {'port':>5}  {'state':<14} log")
    words = []
    for name, ask in _ASK.items():
        service = record.services.get(name)
        if service is None:
            words.append("stopped")
            print(f"{name:<10} {'-':>7} {'-':>5}  {'stopped':<14} -")
            continue
        word = _state(runs=service.process.runs, answers=ask(service.port))
        words.append(word)
        print(f"{name:<10} {service.process.pid:>7} {service.port:>5}  {word:<14} {service.log}")
    sys.exit(0 if set(words) == {"up"} else EXIT_DEPENDENCY)


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


def _state(*, runs: bool, answers: bool) -> str:
    if not runs:
        return "dead"
    return "up" if answers else "does not answer"


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
