"""The command line: `python -m benchmarks.bridge`."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

import click

from benchmarks.bridge.contenders import CONTENDERS
from benchmarks.bridge.publisher import chunks
from benchmarks.bridge.readings import messages
from benchmarks.bridge.recent import version_of
from benchmarks.bridge.rig import Rig
from benchmarks.bridge.trial import Result, Scenario, run
from benchmarks.show import report, run_command, spread
from isotherm.errors import EXIT_OTHER

_SCENARIOS: Final = {
    "drain": Scenario(name="a queued backlog, Receive Maximum 1000", readings=100_000),
    "drain-20000": Scenario(
        name="a queued backlog, Receive Maximum 20000", readings=200_000, window=20_000
    ),
    "live": Scenario(name="a live stream, as fast as it is published", readings=100_000, live=True),
    "packed": Scenario(
        name="a queued backlog, 50 readings in each message", readings=500_000, per_message=50
    ),
    "window-20": Scenario(name="a queued backlog, Receive Maximum 20", readings=20_000, window=20),
}

_WARM_UP: Final = Scenario(name="warm-up", readings=200_000)
_WARM_UP_RUNS: Final = 3


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option(
    "--scenario",
    "wanted",
    type=click.Choice(list(_SCENARIOS)),
    multiple=True,
    help="Only this one; may be repeated.",
)
@click.option("--contender", "only", multiple=True, help="Only those whose name has this in it.")
def cli(runs: int, wanted: tuple[str, ...], only: tuple[str, ...]) -> None:
    """Move the same readings from MQTT to Kafka with each contender, side by side."""
    chosen = [c for c in CONTENDERS if not only or any(part in c.name for part in only)]
    amiss = 0
    with (
        tempfile.TemporaryDirectory(prefix="isotherm-bench-") as folder,
        Rig(Path(folder), report) as rig,
    ):
        version = ".".join(map(str, version_of(rig.mosquitto_program)))
        print(f"{os.cpu_count()} cores, {platform.machine()}, mosquitto {version}, {runs} runs")
        number = _warm_up(rig)
        for key in wanted or _SCENARIOS:
            scenario = _SCENARIOS[key]
            packets = chunks(messages(scenario.readings, scenario.per_message))
            results: dict[str, list[Result]] = {contender.name: [] for contender in chosen}
            # Turn by turn, so that a slow minute of the machine is everybody's.
            for turn in range(runs):
                for contender in chosen:
                    number += 1
                    report(f"{key}: {contender.name}, run {turn + 1} of {runs}")
                    result = run(rig, scenario, contender, packets, number)
                    results[contender.name].append(result)
            amiss += _table(scenario, results)
    if amiss:
        sys.exit(EXIT_OTHER)


def _warm_up(rig: Rig) -> int:
    """Have Kafka's Java compile what is used much, or the first runs would pay; how many runs."""
    packets = chunks(messages(_WARM_UP.readings, _WARM_UP.per_message))
    for number in range(_WARM_UP_RUNS):
        report(f"warming Kafka up, {number + 1} of {_WARM_UP_RUNS}")
        run(rig, _WARM_UP, CONTENDERS[number % len(CONTENDERS)], packets, number)
    return _WARM_UP_RUNS


def _table(scenario: Scenario, results: dict[str, list[Result]]) -> int:
    """Print a scenario's results; how many runs lost, doubled or disordered something."""
    print(f"\n{scenario.name} ({scenario.readings} readings)")
    print(f"{'':36}{'readings/s (min-max)':>28}{'CPU-s/million':>20}{'MB':>6}")
    amiss = 0
    for name, runs in results.items():
        rates = [result.rate for result in runs]
        costs = [result.cpu for result in runs]
        print(
            f"{name:36}{spread(rates, '.0f'):>28}{spread(costs, '.1f'):>20}"
            f"{max(result.memory for result in runs):>6.0f}"
        )
        for result in runs:
            if not result.verdict.good:
                amiss += 1
                print(f"    {result.verdict}")
    return amiss


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    run_command(cli, "bridge")
