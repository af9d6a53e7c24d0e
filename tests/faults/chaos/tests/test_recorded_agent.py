"""The seams at which an agent's journal is written, on the real agent with a real broker."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from deploy.local.services.mosquitto import Mosquitto
from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.account import more
from tests.edge_agent.support.brokers import running
from tests.edge_agent.support.simulated_board import Arrivals, SimulatedBoard
from tests.edge_agent.support.subscriber import Subscriber
from tests.faults.chaos.journal import Made, Name, read_journals
from tests.faults.chaos.recorded_agent import set_clock
from tests.support import Program, await_true, program

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

pytestmark = pytest.mark.integration

DAY = 86_400 * 10**9


def recorded(board: SimulatedBoard, folder: Path) -> AbstractContextManager[Program]:
    told, clock = str(folder / "journal"), str(folder / "clock")
    return program("tests.faults.chaos.recorded_agent", told, clock, *board.run)


def made(folder: Path) -> Made:
    return read_journals([(folder / "journal").read_bytes().split(b"\n")])


def test_what_an_agent_names_commits_and_sends_stands_in_its_journal(tmp_path: Path) -> None:
    with running(Mosquitto, tmp_path / "broker") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = SimulatedBoard(tmp_path / "board", url, trust=False)
        set_clock(tmp_path / "clock", 0)
        with Subscriber(url, readings_topic(board.device)) as subscriber:
            with recorded(board, tmp_path) as agent:
                more(subscriber, 20)
                agent.end(signal.SIGKILL)
            with recorded(board, tmp_path) as agent:
                more(subscriber, 20)
                set_clock(tmp_path / "clock", DAY)
                more(subscriber, 20)
                assert agent.end() == 0
            disk = board.disk()
            found = made(tmp_path)
            wanted = {name for name in disk.named if name not in disk.rows}
            await_true(lambda: wanted <= arrived(subscriber), "all that was committed")
            lines = Counter(
                line for payload in subscriber.payloads for line in payload.split(b"\n")
            )
    # All that was committed is in the journal, and no other name is expected.
    assert found.temperatures.keys() == disk.named
    assert {name: found.temperatures[Name(*name)] for name in disk.rows} == disk.rows
    # What came was sent, as often as it came.
    sent = Counter(line for sends in found.sent.values() for line in sends)
    assert not lines - sent
    # The clock that stepped is the agent's.
    assert any(b'"corrected"' in line for line in lines)


def arrived(subscriber: Subscriber) -> set[tuple[str, str, int]]:
    return set(Arrivals(subscriber.payloads).times)
