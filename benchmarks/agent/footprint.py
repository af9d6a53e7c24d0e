"""What an agent with ten probes at 1 s costs a board: memory, CPU, syncs of the disk."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.agent.account import account, judge, names
from benchmarks.agent.board import Board, Probe
from benchmarks.agent.collector import Collector
from benchmarks.agent.mqtt_io import mqtt_io_command
from benchmarks.agent.syncs import syncs, traced
from benchmarks.bridge.rig import lone_mosquitto
from benchmarks.usage import cpu, peak, resident
from deploy.errors import ProgramFailedError
from deploy.local.process import Child, Guard, log_tail

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bridge.verify import Verdict

SIMULATED: Final = "isotherm, ten simulated probes"
FILES: Final = "isotherm, ten files, a thread each"
MQTT_IO: Final = "mqtt-io, one mock probe"
_TRACED: Final = "isotherm under strace"
_PROBES: Final = 10
_SETTLE_S: Final = 10.0


class Tools(NamedTuple):
    """What is there to compare and count with.

    Attributes:
        mosquitto: the broker's program.
        strace: its program, or None.
        mqtt_io: the Python that has it, or None.
    """

    mosquitto: str
    strace: str | None
    mqtt_io: str | None


class Cost(NamedTuple):
    """Of one program.

    Attributes:
        memory: resident at the end, MB.
        peak: the largest resident of its life, MB.
        cpu: percent of one core.
    """

    memory: float
    peak: float
    cpu: float


class Footprint(NamedTuple):
    """One run.

    Attributes:
        costs: by the program's name.
        syncs: per second; None without strace.
        verdict: what of all agents' readings arrived.
    """

    costs: dict[str, Cost]
    syncs: float | None
    verdict: Verdict


def measure(folder: Path, tools: Tools, seconds: float) -> Footprint:
    """Run all side by side for so long; one more agent is under strace, which costs it CPU.

    Args:
        folder: an empty one.
        tools: see there.
        seconds: to measure, after they have settled.

    Raises:
        ProgramFailedError: one of them died.
    """
    boards = {
        SIMULATED: _board(folder, "simulated", files=False),
        FILES: _board(folder, "files", files=True),
    }
    trace = folder / "strace.log"
    if tools.strace is not None:
        boards[_TRACED] = _board(folder, "traced", files=False)
    guard = Guard()
    with (
        lone_mosquitto(folder, tools.mosquitto) as port,
        Collector(port) as collector,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(guard.close)
        commands = {}
        for name, (board, probes) in boards.items():
            board.configure(port, probes)
            commands[name] = board.run
        if tools.strace is not None:
            commands[_TRACED] = traced(tools.strace, trace, commands[_TRACED])
        if tools.mqtt_io is not None:
            commands[MQTT_IO] = mqtt_io_command(tools.mqtt_io, folder, port)
        children = {
            name: Child(name, command, log=folder / f"{name}.log", guard=guard)
            for name, command in commands.items()
        }
        for child in children.values():
            stack.callback(child.stop)
        time.sleep(_SETTLE_S)
        first = time.time()
        costs = _watch(children, seconds)
        last = time.time()
        for child in children.values():
            child.stop()
        arrived = account(collector.arrivals)
    left = [name for board, _ in boards.values() for name in names(board.waiting())]
    count = None
    if tools.strace is not None:
        del costs[_TRACED]
        count = syncs(trace.read_text(encoding="utf-8"), first, last) / (last - first)
    if not arrived.heard:
        raise ProgramFailedError("no reading arrived at all")
    return Footprint(costs, count, judge(arrived, left=left))


def _watch(children: dict[str, Child], seconds: float) -> dict[str, Cost]:
    before = {}
    for name, child in children.items():
        _require(child)
        before[name] = (time.monotonic(), cpu(child.pid))
    time.sleep(seconds)
    costs = {}
    for name, child in children.items():
        _require(child)
        since, used = before[name]
        share = (cpu(child.pid) - used) / (time.monotonic() - since)
        costs[name] = Cost(resident(child.pid), peak(child.pid), 100 * share)
    return costs


def _require(child: Child) -> None:
    if child.ended() is not None:
        raise ProgramFailedError(f"{child.name}: {child.fate()}", log_tail(child.log))


def _board(folder: Path, name: str, *, files: bool) -> tuple[Board, list[Probe]]:
    board = Board(folder / name)
    probes = []
    for number in range(_PROBES):
        file = None
        if files:
            file = folder / name / f"probe-{number}"
            file.write_text(f"{20 + number}.5\n", encoding="utf-8")
        probes.append(Probe(f"{name}-{number}", file=file))
    return board, probes
