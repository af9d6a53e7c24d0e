"""A real agent and a real broker, and what meets them: what is committed comes, as it was.

Each test reports its numbers; the long forms are marked `faults`.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from deploy.demo.fleet.network import Proxy
from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.account import Account, agent, more
from tests.edge_agent.support.faulty_agent import NS, POINTS
from tests.edge_agent.support.simulated_board import PROBES, SimulatedBoard
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import PATIENCE_S, Program, program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from deploy.local.services.mosquitto import Mosquitto

    Report = Callable[[str], None]

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("own_config")]

ARRIVALS_BEFORE_A_KILL = 6
"""So many times it gets to a point before it is killed there, at most: some ticks."""


def _faulty(board: SimulatedBoard, *fault: str) -> AbstractContextManager[Program]:
    return program("tests.edge_agent.support.faulty_agent", *fault, *board.run)


def _killed_at(points: Sequence[str], folder: Path, url: str, report: Report) -> None:
    board = SimulatedBoard(folder / "board", url)
    draw = random.Random()
    with Subscriber(url, readings_topic(board.device)) as subscriber:
        account = Account(board, subscriber)
        for point in points:
            count = str(draw.randint(1, ARRIVALS_BEFORE_A_KILL))
            with _faulty(board, "kill", point, count) as running:
                running.process.wait(PATIENCE_S)
                assert running.end() == -signal.SIGKILL
            account.look()
        with agent(board) as running:
            more(subscriber, 5)
            assert running.end() == 0
        came = account.settle(f"{len(points)} kills", report)
    assert {epoch for _, epoch, _ in came.times} == {board.disk().epoch}


def test_killed_once_at_each_point(url: str, tmp_path: Path, report: Report) -> None:
    _killed_at(tuple(POINTS), tmp_path, url, report)


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_killed_32_times_after(point: str, url: str, tmp_path: Path, report: Report) -> None:
    _killed_at([point] * 32, tmp_path, url, report)


@pytest.mark.parametrize(
    ("cuts", "seconds"), ((4, 0.5), pytest.param(90, 2.0, marks=pytest.mark.faults))
)
def test_a_line_that_flaps(
    mosquitto: Mosquitto, url: str, tmp_path: Path, report: Report, *, cuts: int, seconds: float
) -> None:
    with Proxy(lambda: mosquitto.port) as proxy:
        board = SimulatedBoard(tmp_path / "board", f"mqtt://127.0.0.1:{proxy.port}")
        with Subscriber(url, readings_topic(board.device)) as subscriber:
            account = Account(board, subscriber)
            with agent(board) as running:
                running.await_line("connected")
                more(subscriber, 1)
                for _ in range(cuts):
                    threading.Event().wait(seconds)
                    account.count()
                    proxy.reset()
                    running.await_line("connected")
                more(subscriber, 5)
                assert running.end() == 0
            account.settle(f"{cuts} cuts, one every {seconds} s", report)


@pytest.mark.parametrize(
    ("steps", "seconds"), ((4, 0.5), pytest.param(60, 2.0, marks=pytest.mark.faults))
)
def test_a_clock_that_steps_by_a_day(
    url: str, tmp_path: Path, report: Report, *, steps: int, seconds: float
) -> None:
    board = SimulatedBoard(tmp_path / "board", url, trust=False)
    start = time.time_ns()
    with Subscriber(url, readings_topic(board.device)) as subscriber:
        account = Account(board, subscriber)
        with _faulty(board, "clock", str(seconds)) as running:
            subscriber.wait(lambda payloads: len(payloads) > 0)
            threading.Event().wait(steps * seconds)
            more(subscriber, 1)
            assert running.end() == 0
        came = account.settle(f"{steps} steps of a day", report)
    assert came.doubled == 0
    assert len(came.by_sensor) == PROBES
    for found in came.by_sensor.values():
        times = [event_time for _, event_time, _ in sorted(found)]
        assert times == sorted(times)
        assert start - NS < times[0] < times[-1] < time.time_ns() + NS
        assert {trust for _, _, trust in found} == {"synced", "corrected"}
