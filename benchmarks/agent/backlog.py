"""How fast an agent gives a backlog to the broker, and how old live readings get meanwhile."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.agent.account import Name, account, judge, names
from benchmarks.agent.board import Board, Probe
from benchmarks.agent.collector import Arrival, Collector
from benchmarks.bridge.rig import lone_mosquitto
from benchmarks.usage import cpu, peak
from deploy.errors import ProgramFailedError
from deploy.local.ports import free_port
from deploy.local.process import Child, Guard, log_tail

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.agent.account import Account
    from benchmarks.bridge.verify import Verdict

_OFFLINE: Final = "offline-"
_LIVE: Final = "live-"
_PROBES: Final = 100
_LIVE_PROBES: Final = 10
_LOOK_EVERY_S: Final = 1.0
_STALLED_S: Final = 20.0
_AFTERWARDS_S: Final = 3.0


class Backlog(NamedTuple):
    """What an agent kept while it had no broker.

    Attributes:
        outbox: the file.
        names: what is in it.
    """

    outbox: Path
    names: list[Name]


class Drain(NamedTuple):
    """One run.

    Attributes:
        rate: of the backlog, readings per second, as they came to a subscriber.
        cpu: seconds of CPU per million readings, all that the agent did meanwhile.
        memory: peak, MB.
        ages: of the live readings that came meanwhile, seconds since they were measured.
        verdict: what of both arrived.
    """

    rate: float
    cpu: float
    memory: float
    ages: list[float]
    verdict: Verdict


def make_backlog(folder: Path, readings: int) -> Backlog:
    """Run an agent with many fast probes and no broker, until so many readings wait.

    Raises:
        ProgramFailedError: it died, or stopped taking readings.
    """
    board = Board(folder / "offline")
    probes = [Probe(f"{_OFFLINE}{number:03d}", "50ms") for number in range(_PROBES)]
    board.configure(free_port(), probes)
    guard = Guard()
    child = Child("the agent", board.run, log=board.log, guard=guard)
    rows, grown = -1, time.monotonic()
    try:
        while rows < readings:
            time.sleep(_LOOK_EVERY_S)
            before, rows = rows, board.rows() if board.started else 0
            if rows > before:
                grown = time.monotonic()
            _require(child)
            if time.monotonic() - grown > _STALLED_S:
                raise ProgramFailedError("the agent takes no more readings", log_tail(child.log))
    finally:
        child.stop()
        guard.close()
    return Backlog(board.outbox, names(board.waiting()))


def drain(folder: Path, mosquitto: str, backlog: Backlog) -> Drain:
    """Give a copy of it to an agent with ten live probes and a broker.

    Args:
        folder: an empty one.
        mosquitto: the broker's program.
        backlog: what waits.

    Raises:
        ProgramFailedError: the agent died, or sent nothing of it.
    """
    board = Board(folder / "drain")
    shutil.copyfile(backlog.outbox, board.outbox)
    guard = Guard()
    with lone_mosquitto(folder, mosquitto) as port, Collector(port) as collector:
        board.configure(port, [Probe(f"{_LIVE}{number}") for number in range(_LIVE_PROBES)])
        child = Child("the agent", board.run, log=board.log, guard=guard)
        try:
            used = _await_all(child, collector, len(backlog.names))
            memory = peak(child.pid)
            time.sleep(_AFTERWARDS_S)
        finally:
            child.stop()
            guard.close()
        arrived = account(collector.arrivals)
    rate, ages = figures(arrived)
    return Drain(
        rate=rate,
        cpu=used / len(backlog.names) * 1e6,
        memory=memory,
        ages=ages,
        verdict=judge(arrived, before=backlog.names, left=names(board.waiting())),
    )


def figures(arrived: Account) -> tuple[float, list[float]]:
    """The backlog's rate, and the ages of the live readings that came while it was under way.

    The rate goes from the first message to the last; what the first carried took no time.

    Raises:
        ProgramFailedError: the backlog came in one message, or did not come.
    """
    old = [each.at for each in arrived.of(_OFFLINE).heard]
    if not old or old[0] == old[-1]:
        raise ProgramFailedError("the backlog did not arrive")
    first, last = old[0], old[-1]
    rate = sum(at > first for at in old) / (last - first)
    return rate, [each.age for each in arrived.of(_LIVE).heard if first <= each.at <= last]


def _await_all(child: Child, collector: Collector, readings: int) -> float:
    """Wait until the backlog has come, or no more of it comes: what is lost is judged later.

    Returns:
        Seconds of CPU from its first message to its last.
    """
    seen = came = 0
    before = 0.0
    grown = time.monotonic()
    while came < readings and time.monotonic() - grown < _STALLED_S:
        time.sleep(0.02)
        _require(child)
        fresh = collector.arrivals[seen:]
        seen += len(fresh)
        found = sum(map(_old, fresh))
        if found:
            grown = time.monotonic()
            before = before or cpu(child.pid)
        came += found
    return cpu(child.pid) - before


def _old(arrival: Arrival) -> int:
    """How many readings of the backlog are in a message; live ones never share theirs."""
    if not arrival.payload.startswith(b'{"guid":"' + _OFFLINE.encode()):
        return 0
    return arrival.payload.count(b"\n") + 1


def _require(child: Child) -> None:
    if child.ended() is not None:
        raise ProgramFailedError(f"{child.name}: {child.fate()}", log_tail(child.log))
