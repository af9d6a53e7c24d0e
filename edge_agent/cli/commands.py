"""The commands of `isotherm-agent`."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

from edge_agent.cli.outbox import outbox
from edge_agent.cli.probes import probes, read
from edge_agent.cli.run import Arguments, run_service
from edge_agent.errors import InputError
from edge_agent.mqtt.options import check, check_files, connect
from edge_agent.settings.agent import PREFIX, AgentSettings, agent_file, load_agent
from edge_agent.settings.sample import sample_config
from edge_agent.settings.tools import (
    REPLAY_PREFIX,
    SIMULATE_PREFIX,
    ReplaySettings,
    SimulateSettings,
)
from isotherm.backoff import Backoff
from isotherm.errors import SettingsError
from isotherm.log import start_logging
from isotherm.mqtt.topics import readings_topic
from isotherm.settings.table import load, option, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

F = TypeVar("F", bound="Callable[..., Any]")
CHUNK_LINES = 1_000


def _options(settings: type, prefix: str) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for row in reversed([row for row in rows(settings) if row.flag]):
            names, keywords = option(row, prefix)
            command = click.option(*names, **keywords)(command)
        return command

    return decorate


@click.group()
def agent() -> None:
    """The agent on the board: probes in, MQTT out."""


agent.add_command(outbox)
agent.add_command(probes)
agent.add_command(read)


@agent.command()
@click.argument("count", metavar="N", type=click.IntRange(0))
@_options(SimulateSettings, SIMULATE_PREFIX)
@click.option("--no-origin", is_flag=True, help="Leave out epoch and sequence numbers.")
def simulate(count: int, *, no_origin: bool, **flags: Any) -> None:
    """Write N readings of the reference workload to stdout, one per line.

    The same options give the same bytes on any machine.
    """
    from edge_agent.probes.simulation import Workload, lines  # noqa: PLC0415 only where it is needed

    chosen = load(SimulateSettings, SIMULATE_PREFIX, environ=os.environ, flags=flags)
    workload = Workload(
        sensors=chosen.sensors,
        seed=chosen.seed,
        start=chosen.start,
        rate=chosen.rate,
        origin=not no_origin,
    )
    readings = lines(workload, count)
    out = sys.stdout.buffer
    try:
        while chunk := "".join(islice(readings, CHUNK_LINES)):
            out.write(chunk.encode())
        out.flush()
    except BrokenPipeError:
        # The reader has seen enough; Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ValueError as error:
        raise SettingsError("--start", flags["start"], f"{error}; choose another") from error


@agent.command()
@click.argument("file", metavar="FILE")
@_options(ReplaySettings, REPLAY_PREFIX)
def replay(file: str, **flags: Any) -> int:
    """Publish each line of FILE (- is stdin) over MQTT at QoS 1, and end when all are acknowledged.

    Lines go out byte for byte and in order, bad ones too; blank ones are left out. A lost
    connection is made again, and what was under way is sent again.

    Exit code 0: somebody got each line. 1: some were refused, or had no subscriber. 3: the broker
    could not be reached. 130 or 143: stopped by Ctrl-C or SIGTERM.
    """
    from edge_agent.mqtt.broker.size_limit import MOST  # noqa: PLC0415 the same
    from edge_agent.mqtt.publisher import Publisher  # noqa: PLC0415 the same
    from edge_agent.replay.lines import LineReader  # noqa: PLC0415 only where it is needed
    from edge_agent.replay.progress import Progress  # noqa: PLC0415 the same
    from edge_agent.replay.rate_limit import RateLimit  # noqa: PLC0415 the same
    from edge_agent.replay.replay import LONGEST_BACKOFF, Replay, run  # noqa: PLC0415 the same
    from edge_agent.service.signals import Stop  # noqa: PLC0415 the same

    chosen = load(ReplaySettings, REPLAY_PREFIX, environ=os.environ, flags=flags)
    progress = Progress(sys.stderr)
    log = start_logging("replay", stream=cast("TextIO", progress))
    check(chosen)
    # Its own name for each run, since two replays with one name would throw each other out.
    link = connect(chosen, client_id=f"isotherm-replay-{secrets.token_hex(4)}")
    with _opened(file) as descriptor, Stop() as stop:
        reader = LineReader(descriptor, file)
        source = Replay(reader, pace=RateLimit(chosen.rate), batch=chosen.batch, log=log)
        publisher = Publisher(
            link,
            source,
            topic=readings_topic(chosen.device),
            window=chosen.window,
            # A person chose the batch: it is parted where the broker refuses it, and not before.
            first_packet=MOST,
            backoff=Backoff(longest=LONGEST_BACKOFF),
            log=log,
        )
        source.largest = lambda: publisher.largest
        try:
            return run(
                source,
                publisher,
                link,
                descriptor=descriptor,
                address=str(chosen.mqtt),
                give_up=chosen.give_up,
                progress=progress,
                stop=stop,
            )
        finally:
            publisher.close()


@agent.command()
@click.option("--config", metavar="FILE", help="agent.toml; see sample-config.")
@click.option("--verbose", is_flag=True, help="Show debug lines too.")
@_options(AgentSettings, PREFIX)
def run(config: str | None, *, verbose: bool, **flags: Any) -> int:
    """Read the configured probes at their interval, and publish what they give.

    What the broker has not acknowledged waits in the outbox, a file that outlives this program and
    the board's power. Readings that were taken before the system clock was in sync wait for it, and
    get their time corrected.
    """
    return run_service(Arguments(config, verbose, flags))


@agent.command()
@click.option("--config", metavar="FILE", help="agent.toml; see sample-config.")
@_options(AgentSettings, PREFIX)
def check_config(config: str | None, **flags: Any) -> None:
    """Say whether agent.toml is fine, or what to mend."""
    chosen = load_agent(agent_file(config), os.environ, flags)
    check_files(chosen)
    number = len(chosen.probes)
    probes = "1 probe" if number == 1 else f"{number} probes"
    topic = readings_topic(chosen.client_id)
    print(f"{config} is fine: {probes}, to {chosen.mqtt} under {topic}")


@agent.command()
@click.option("--config", metavar="FILE", help="agent.toml; see sample-config.")
@_options(AgentSettings, PREFIX)
def doctor(config: str | None, **flags: Any) -> int:
    """Check what the agent depends on, a sentence each; a running agent is not disturbed.

    Exit code 0: nothing failed. 3: the broker cannot be reached. 1: something else failed.
    """
    from edge_agent.doctor.examine import examine  # noqa: PLC0415 the same
    from isotherm.doctor.finding import tell  # noqa: PLC0415 only where it is needed

    chosen = load_agent(agent_file(config), os.environ, flags)
    return tell(examine(chosen, str(config)), click.echo)


@agent.command("sample-config")
def print_sample_config() -> None:
    """Write a commented agent.toml to stdout."""
    print(sample_config(), end="")


@contextmanager
def _opened(path: str) -> Iterator[int]:
    if path == "-":
        yield sys.stdin.fileno()
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
