"""The other parts of the benchmark: paces, a trigger's fixed cost, starts, many sensors."""

from __future__ import annotations

import statistics
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from benchmarks.aggregator.batch import SPARK
from benchmarks.aggregator.contenders import Task, isotherm
from benchmarks.aggregator.fleet import Fleet, differences
from benchmarks.aggregator.writer import Mark, Writer
from benchmarks.show import report, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.aggregator.spark import Program, Trigger

_TRIGGER_S: Final = 3
_WARM_UP: Final = 5
_SMALL: Final = 1_000
_SETTLE_S: Final = 30.0


def paced(
    task: Callable[[str, int, int], Task],
    starters: Mapping[str, Callable[[Task], Program]],
    *,
    rates: Sequence[int],
    seconds: int,
    sensors: int,
) -> int:
    """Print how Spark's contenders follow a steady pace at triggers of 3 s; how many went wrong."""
    print(f"\ntriggers every {_TRIGGER_S} s, {seconds} s of each pace, {sensors} sensors")
    print(f"{'':32}{'trigger, s: median':>20}{'slowest':>9}{'latency, s: median':>20}{'left':>10}")
    amiss = 0
    for rate in rates:
        for name in (name for name in starters if name in SPARK):
            report(f"{name}: {rate}/s")
            place = task(f"paced-{rate}-{SPARK.index(name)}", 0, _TRIGGER_S)
            amiss += _pace(
                place, name, start=starters[name], rate=rate, seconds=seconds, sensors=sensors
            )
    return amiss


def _pace(
    task: Task,
    name: str,
    *,
    start: Callable[[Task], Program],
    rate: int,
    seconds: int,
    sensors: int,
) -> int:
    fleet = Fleet(sensors)
    writer = Writer(task.kafka, task.topic)
    program = start(task)
    try:
        for number in range(_WARM_UP):
            writer.at_once(fleet.readings(3 * min(rate, 50_000)))
            program.await_lines(number + 1)
        program.wait(lambda: len(program.triggers()) >= _WARM_UP, "its warm-up")
        before = program.triggers()[-1].end
        marks = writer.paced(fleet, rate, seconds)
        followed = program.triggers()
        left = marks[-1].written - (followed[-1].end - before)
        total = fleet.expect(0, fleet.written)
        wrong: list[str] = []
        if left < rate * 2 * _TRIGGER_S:
            program.await_trigger(before + marks[-1].written)
            followed = program.triggers()
            line = program.lines()[-1]
            if "scopes" in line:
                wrong = differences(total, line["scopes"]["since_start"])
            elif sum(each["total_messages"] for each in program.lines()) != total.readings:
                wrong = ["total_messages"]
    finally:
        program.kill()
    triggers = followed[_WARM_UP:]
    ages = latencies(marks, triggers, before)
    took = [trigger.seconds for trigger in triggers]
    print(
        f"{name + f', {rate}/s':32}{statistics.median(took):>20.2f}{max(took):>9.2f}"
        f"{statistics.median(ages):>20.2f}{left:>10}"
    )
    if wrong:
        print(f"    wrong: {', '.join(wrong)}")
    return bool(wrong)


def latencies(marks: Sequence[Mark], triggers: Sequence[Trigger], before: int) -> list[float]:
    """Seconds from writing to the end of the trigger that counted it, one for each step written.

    Args:
        marks: when what had been written.
        triggers: those that counted it.
        before: the sum of offsets at which the pace began.
    """
    ends = [trigger.end - before for trigger in triggers]
    found = []
    for mark in marks:
        index = bisect_left(ends, mark.written)
        if index < len(ends):
            found.append(triggers[index].start + triggers[index].seconds - mark.at)
    return found


def fixed(task: Task, *, runs: int) -> int:
    """Print what a trigger of 1,000 readings costs, and of what; how many were wrong."""
    fleet = Fleet(_SMALL)
    writer = Writer(task.kafka, task.topic)
    program = isotherm(task)
    try:
        for number in range(runs * 3):
            first = fleet.written
            writer.at_once(fleet.readings(_SMALL))
            line = program.await_lines(number + 1)
        program.wait(lambda: len(program.triggers()) >= runs * 3, "its triggers")
        found = program.triggers()[-runs:]
    finally:
        program.kill()
    milliseconds = [trigger.seconds * 1000 for trigger in found]
    print(f"\na trigger of {_SMALL} readings, ms: {spread(milliseconds, '.0f')}, of which")
    for part in found[0].parts:
        if part != "triggerExecution":
            times = [float(trigger.parts[part]) for trigger in found]
            print(f"    {part:24}{spread(times, '.0f'):>20}")
    return bool(differences(fleet.expect(first, _SMALL), line["scopes"]["window"]))


def start(task: Callable[[str], Task], *, runs: int) -> int:
    """Print the seconds from the start of submit to the first snapshot; none can be wrong."""
    taken = []
    for number in range(runs):
        report(f"a cold start, {number + 1} of {runs}")
        place = task(f"start-{number}")
        Writer(place.kafka, place.topic).at_once(Fleet(_SMALL).readings(10 * _SMALL))
        program = isotherm(place)
        try:
            program.await_lines(1)
            taken.append(time.time() - program.started)
        finally:
            program.kill()
    print(f"\nfrom the start to the first snapshot, s: {spread(taken, '.1f')}")
    return 0


def capacity(task: Task, *, sensors: int, runs: int) -> int:
    """Print what a ledger of many sensors costs a trigger, a restart, and memory."""
    fleet = Fleet(sensors)
    touched = sensors * 3 // 10
    writer = Writer(task.kafka, task.topic)
    program = isotherm(task)
    amiss = 0
    try:
        writer.at_once(fleet.readings(sensors))
        line = program.await_lines(1)
        amiss += bool(differences(fleet.expect(0, sensors), line["scopes"]["since_start"]))
        for number in range(runs + 2):
            first = fleet.written
            writer.at_once(fleet.readings(touched, touched))
            line = program.await_lines(number + 2)
            wrong = differences(fleet.expect(first, touched, touched), line["scopes"]["window"])
            since = line["scopes"]["since_start"]
            wrong += [] if since["total_sensors"] == sensors else ["total_sensors since start"]
            wrong += (
                [] if since["total_messages"] == fleet.written else ["total_messages since start"]
            )
            amiss += bool(wrong)
        program.wait(lambda: len(program.triggers()) >= runs + 3, "its triggers")
        took = [trigger.seconds for trigger in program.triggers()[3:]]
        memory = program.memory()
    finally:
        program.kill()
    print(f"\n{sensors} sensors, {touched} touched in a trigger, s: {spread(took, '.2f')}")
    print("    peak memory, MB: " + ", ".join(f"{k} {v:.0f}" for k, v in memory.items()))
    again = []
    for number in range(2, runs + 2):
        writer.at_once(fleet.readings(_SMALL, _SMALL))
        known = len(program.lines())
        later = isotherm(task, number)
        try:
            later.await_lines(known + 1)
            again.append(time.time() - later.started)
        finally:
            later.kill()
    print(f"    from a start after kill -9 to its first snapshot, s: {spread(again, '.1f')}")
    return amiss
