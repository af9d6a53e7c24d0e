"""One micro-batch for each contender in turn: the same records, in sessions that are warm."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.aggregator.contenders import ISOTHERM, REFERENCE, Task
from benchmarks.aggregator.fleet import Expected, Fleet, differences
from benchmarks.aggregator.writer import Writer
from benchmarks.show import report, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.aggregator.spark import Program

SPARK = (ISOTHERM, REFERENCE)


class Turn(NamedTuple):
    """One contender's part of one run.

    Attributes:
        seconds: that its batch took.
        cpu: seconds of CPU, all its processes.
        amiss: where its result differs from the oracle's.
    """

    seconds: float
    cpu: float
    amiss: list[str]


def compare(
    task: Task,
    starters: Mapping[str, Callable[[Task], Program]],
    *,
    sensors: int,
    runs: int,
    warm_up: int,
) -> int:
    """Print what one micro-batch takes each contender.

    A batch is one transaction, so that it is one micro-batch. Contenders take turns at the same
    records: one goes on, the others are stopped.

    Args:
        task: where, and how many readings a batch has.
        starters: who.
        sensors: in the fleet.
        runs: that count.
        warm_up: runs before, whose results are verified and not counted.

    Returns:
        How many results were wrong.
    """
    fleet = Fleet(sensors)
    writer = Writer(task.kafka, task.topic)
    turns: dict[str, list[Turn]] = {name: [] for name in starters}
    programs: dict[str, Program] = {}
    try:
        for run in range(-warm_up, runs):
            first = fleet.written
            for program in programs.values():
                program.pause()
            writer.at_once(fleet.readings(task.readings))
            batch, total = _expected(fleet, first)
            for name, start in starters.items():
                report(f"{name}: {'warm-up' if run < 0 else f'run {run + 1} of {runs}'}")
                if name not in programs:
                    programs[name] = start(task)
                programs[name].resume()
                turn = _turn(programs[name], run + warm_up + 1, batch, total)
                programs[name].pause()
                if run >= 0 or turn.amiss:
                    turns[name].append(turn)
        memory = {name: program.memory() for name, program in programs.items()}
    finally:
        for program in programs.values():
            program.kill()
    return _show(turns, memory, task.readings)


def _expected(fleet: Fleet, first: int) -> tuple[Expected, Expected]:
    return fleet.expect(first, fleet.written - first), fleet.expect(0, fleet.written)


def _turn(program: Program, number: int, batch: Expected, total: Expected) -> Turn:
    used = program.cpu()
    line: dict[str, Any] = program.await_lines(number)
    scopes = line.get("scopes", {"window": line})
    amiss = differences(batch, scopes["window"])
    if "since_start" in scopes:
        amiss += [f"{name} since start" for name in differences(total, scopes["since_start"])]
    if program.name in SPARK:
        program.wait(lambda: len(program.triggers()) >= number, f"{number} triggers")
        trigger = program.triggers()[number - 1]
        # Where it was stopped within an idle trigger, that time is in Spark's look at the offsets.
        seconds = trigger.seconds - trigger.parts["latestOffset"] / 1000
    else:
        seconds = line["seconds"]
    return Turn(seconds, program.cpu() - used, amiss)


def _show(turns: dict[str, list[Turn]], memory: dict[str, dict[str, float]], readings: int) -> int:
    print(f"\none warm micro-batch of {readings} readings")
    print(f"{'':24}{'seconds':>20}{'readings/s':>14}{'CPU-s/million':>22}{'ratio':>8}  MB")
    base = statistics.median(
        turn.seconds for turn in turns.get(ISOTHERM) or next(iter(turns.values()))
    )
    amiss = 0
    for name, found in turns.items():
        seconds = [turn.seconds for turn in found]
        median = statistics.median(seconds)
        cpu = [turn.cpu / readings * 1e6 for turn in found]
        processes = ", ".join(f"{key} {value:.0f}" for key, value in memory[name].items())
        print(
            f"{name:24}{spread(seconds, '.2f'):>20}{readings / median:>14.0f}"
            f"{spread(cpu, '.1f'):>22}{median / base:>8.2f}  {processes}"
        )
        for turn in found:
            if turn.amiss:
                amiss += 1
                print(f"    wrong: {', '.join(turn.amiss)}")
    return amiss
