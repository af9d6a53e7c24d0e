"""The command line: `python -m benchmarks.aggregator`."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

import click

from benchmarks.aggregator.batch import compare
from benchmarks.aggregator.contenders import Task, contenders
from benchmarks.aggregator.parts import capacity, fixed, paced, start
from benchmarks.aggregator.rig import Broker
from benchmarks.show import report, run_command
from isotherm.errors import EXIT_OTHER

_PARTS: Final = ("batch", "paced", "fixed", "start", "capacity")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--part", "wanted", type=click.Choice(_PARTS), multiple=True, help="Only this one.")
@click.option("--contender", "only", multiple=True, help="Only those whose name has this in it.")
@click.option("--runs", type=click.IntRange(1, 50), default=5, show_default=True)
@click.option("--readings", type=click.IntRange(1_000), default=1_000_000, show_default=True)
@click.option("--sensors", type=click.IntRange(1), default=50_000, show_default=True)
@click.option("--rate", "rates", type=int, multiple=True, default=(10_000, 50_000, 100_000))
@click.option("--seconds", type=click.IntRange(9), default=60, show_default=True, help="Of a pace.")
@click.option("--many", type=int, default=1_000_000, show_default=True, help="Sensors of capacity.")
@click.option("--alone", is_flag=True, help="Without what would be installed from PyPI.")
def cli(
    *,
    wanted: tuple[str, ...],
    only: tuple[str, ...],
    runs: int,
    readings: int,
    sensors: int,
    rates: tuple[int, ...],
    seconds: int,
    many: int,
    alone: bool,
) -> None:
    """The four analytics over the same readings by each contender, side by side."""
    amiss = 0
    parts = wanted or _PARTS
    with (
        tempfile.TemporaryDirectory(prefix="isotherm-bench-") as folder,
        Broker(Path(folder), report) as broker,
    ):
        load = os.getloadavg()[0]
        print(f"{os.cpu_count()} cores, {platform.machine()}, load {load:.1f}, {runs} runs")
        known = contenders(report, alone=alone or "batch" not in parts)
        chosen = {n: s for n, s in known.items() if not only or any(part in n for part in only)}

        def task(name: str, count: int = 0, trigger: int = 1) -> Task:
            place = Path(folder) / name
            place.mkdir()
            return Task(broker.kafka, broker.topic(name), broker.partitions, count, place, trigger)

        if "batch" in parts:
            amiss += compare(task("batch", readings), chosen, sensors=sensors, runs=runs, warm_up=2)
        if "paced" in parts:
            amiss += paced(task, chosen, rates=rates, seconds=seconds, sensors=sensors)
        if "fixed" in parts:
            amiss += fixed(task("fixed"), runs=max(runs, 10))
        if "start" in parts:
            amiss += start(task, runs=runs)
        if "capacity" in parts:
            amiss += capacity(task("capacity"), sensors=many, runs=runs)
    if amiss:
        sys.exit(EXIT_OTHER)


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    run_command(cli, "aggregator")
