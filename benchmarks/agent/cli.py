"""The command line: `python -m benchmarks.agent`."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from benchmarks.agent.backlog import drain, make_backlog
from benchmarks.agent.footprint import Tools, measure
from benchmarks.agent.mqtt_io import find_mqtt_io
from benchmarks.agent.syncs import find_strace
from benchmarks.bridge.recent import recent_mosquitto, version_of
from benchmarks.show import report, run_command, spread
from isotherm.errors import EXIT_OTHER

if TYPE_CHECKING:
    from benchmarks.agent.backlog import Drain
    from benchmarks.agent.footprint import Footprint


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option(
    "--seconds",
    type=click.IntRange(5, 3600),
    default=60,
    show_default=True,
    help="How long memory, CPU and syncs are watched in each run.",
)
@click.option(
    "--readings",
    type=click.IntRange(10_000, 900_000),
    default=100_000,
    show_default=True,
    help="The backlog, at least.",
)
@click.option("--only", type=click.Choice(["footprint", "backlog"]), help="One of the two.")
@click.option("--alone", is_flag=True, help="Without mqtt-io, which would be installed from PyPI.")
def cli(runs: int, seconds: int, readings: int, only: str | None, *, alone: bool) -> None:
    """What the agent costs a board, and how fast it empties its outbox."""
    mosquitto = recent_mosquitto(report)
    version = ".".join(map(str, version_of(mosquitto)))
    print(f"{os.cpu_count()} cores, {platform.machine()}, mosquitto {version}, {runs} runs")
    amiss = 0
    with tempfile.TemporaryDirectory(prefix="isotherm-bench-") as folder:
        if only != "backlog":
            mqtt_io = None if alone else find_mqtt_io(report)
            tools = Tools(mosquitto, find_strace(), mqtt_io)
            prints = []
            for turn in range(runs):
                report(f"footprint, run {turn + 1} of {runs}")
                prints.append(measure(_new(folder, f"footprint-{turn}"), tools, seconds))
            amiss += _show_footprint(prints, seconds)
        if only != "footprint":
            report(f"an agent without a broker gathers {readings} readings")
            backlog = make_backlog(Path(folder), readings)
            drains = []
            for turn in range(runs):
                report(f"backlog, run {turn + 1} of {runs}")
                drains.append(drain(_new(folder, f"backlog-{turn}"), mosquitto, backlog))
            amiss += _show_backlog(drains, len(backlog.names))
    if amiss:
        sys.exit(EXIT_OTHER)


def _show_footprint(runs: list[Footprint], seconds: int) -> int:
    """Print it; how many runs lost, doubled or disordered something."""
    print(f"\na reading a second from each probe, watched for {seconds} s")
    print(f"{'':36}{'MB resident':>20}{'MB peak':>20}{'% of a core':>20}")
    for name in runs[0].costs:
        costs = [run.costs[name] for run in runs]
        print(
            f"{name:36}{spread([c.memory for c in costs], '.1f'):>20}"
            f"{spread([c.peak for c in costs], '.1f'):>20}"
            f"{spread([c.cpu for c in costs], '.2f'):>20}"
        )
    counts = [run.syncs for run in runs if run.syncs is not None]
    told = spread(counts, ".2f") if counts else "not counted: strace is not installed"
    print(f"isotherm, syncs of the disk a second: {told}")
    return _show_amiss(runs)


def _show_backlog(runs: list[Drain], readings: int) -> int:
    """Print it; how many runs lost, doubled or disordered something."""
    print(f"\na backlog of {readings} readings, beside ten live probes at 1 s")
    print(f"readings/s              {spread([run.rate for run in runs], '.0f')}")
    print(f"CPU-s/million           {spread([run.cpu for run in runs], '.1f')}")
    print(f"MB peak                 {spread([run.memory for run in runs], '.1f')}")
    live = [run.ages for run in runs if run.ages]
    if live:
        print(f"live, s old, median     {spread([statistics.median(a) for a in live], '.2f')}")
        print(f"live, s old, oldest     {spread([max(a) for a in live], '.2f')}")
        print(f"live readings meanwhile {spread([len(a) for a in live], '.0f')}")
    return _show_amiss(runs)


def _show_amiss(runs: list[Footprint] | list[Drain]) -> int:
    bad = [run.verdict for run in runs if not run.verdict.good]
    for verdict in bad:
        print(f"    {verdict}")
    return len(bad)


def _new(folder: str, name: str) -> Path:
    made = Path(folder, name)
    made.mkdir()
    return made


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    run_command(cli, "agent")
