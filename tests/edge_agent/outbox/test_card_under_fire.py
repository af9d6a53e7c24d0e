"""The card of a real agent is damaged or copied: no name is given twice, and the rest comes.

Each test reports its numbers; the long forms are marked `faults`.
"""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.local.ports import free_port
from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.account import Account, agent, more
from tests.edge_agent.support.simulated_board import Arrivals, SimulatedBoard
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Callable

    Report = Callable[[str], None]

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("own_config")]

PAGE = 4096
ROWS_OF_A_PAGE = 60
"""No page holds more: a row has 70 bytes at the least."""


def _torn_end(path: Path, draw: random.Random) -> None:
    data = path.read_bytes()
    kept = draw.randrange(1, PAGE)
    path.write_bytes(data[:-PAGE] + data[-PAGE:][:kept] + bytes(PAGE - kept))


def _middle_page(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    # Leaves of a table, neither the first page nor the last.
    leaves = [at for at in range(PAGE, len(data) - PAGE, PAGE) if data[at] == 0x0D]
    at = draw.choice(leaves)
    data[at : at + PAGE] = draw.randbytes(PAGE)
    path.write_bytes(data)


def _waiting(board: SimulatedBoard) -> int:
    """Rows in the outbox of an agent that runs."""
    connection = sqlite3.connect(f"file:{board.outbox}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])
    finally:
        connection.close()


def _collect_offline(board: SimulatedBoard, url: str, rows: int) -> None:
    """Let it run without its broker until so many wait."""
    board.connect_to(f"mqtt://127.0.0.1:{free_port()}")
    with agent(board) as running:
        running.await_line("no broker")
        await_true(lambda: _waiting(board) >= rows, f"{rows} rows")
        assert running.end() == 0
    board.connect_to(url)


@pytest.mark.parametrize("rounds", (1, pytest.param(10, marks=pytest.mark.faults)))
@pytest.mark.parametrize("damage", (_torn_end, _middle_page))
def test_a_page_that_is_damaged_costs_its_own_rows_alone(
    url: str,
    tmp_path: Path,
    report: Report,
    damage: Callable[[Path, random.Random], None],
    rounds: int,
) -> None:
    committed = lost = other = 0
    for number in range(rounds):
        board = SimulatedBoard(tmp_path / str(number), url)
        _collect_offline(board, url, 300)
        rows = board.disk().rows
        damage(board.outbox, random.Random())
        with Subscriber(url, readings_topic(board.device)) as subscriber, agent(board) as running:
            more(subscriber, 5)
            assert running.end() == 0
            came = Arrivals(subscriber.payloads)
        gone = rows.keys() - came.times.keys() - board.disk().rows.keys()
        assert len(gone) <= ROWS_OF_A_PAGE
        committed, lost = committed + len(rows), lost + len(gone)
        other += came.clashes + came.false(rows)
    report(f"{rounds} files: {committed} rows, gone with their page {lost}, other content {other}")
    assert other == 0


@pytest.mark.parametrize("rounds", (1, pytest.param(10, marks=pytest.mark.faults)))
def test_a_log_that_is_gone_gives_no_name_twice(
    url: str, tmp_path: Path, report: Report, rounds: int
) -> None:
    sent = lost = gone = 0
    board = SimulatedBoard(tmp_path / "board", url)
    with Subscriber(url, readings_topic(board.device)) as subscriber:
        for _ in range(rounds):
            with agent(board) as running:
                more(subscriber, 3)
                assert running.end() == 0
            with agent(board) as running:
                more(subscriber, 5)
                running.end(signal.SIGKILL)
            # What it sent in this life is known to its log alone.
            disk = board.disk()
            Path(f"{board.outbox}-wal").unlink()
            acknowledged = disk.named - disk.rows.keys()
            with agent(board) as running:
                more(subscriber, 5)
                assert running.end() == 0
            came = Arrivals(subscriber.payloads)
            sent += len(acknowledged)
            lost += len(acknowledged - came.times.keys())
            gone += len(disk.rows.keys() - came.times.keys())
        came = Arrivals(subscriber.payloads)
    report(
        f"{rounds} logs: {sent} readings acknowledged, lost {lost}, waited in the log {gone}, "
        f"names given twice {came.clashes}"
    )
    assert lost == came.clashes == 0
    assert len({epoch for _, epoch, _ in came.times}) == rounds + 1


@pytest.mark.parametrize("rounds", (1, pytest.param(10, marks=pytest.mark.faults)))
def test_two_boards_with_one_card_image(
    url: str, tmp_path: Path, report: Report, rounds: int
) -> None:
    """All is the same but the boards' serials: they also throw each other out of the broker."""
    readings = doubled = 0
    for number in range(rounds):
        board = SimulatedBoard(tmp_path / f"{number}a", url)
        with Subscriber(url, readings_topic(board.device)) as subscriber:
            with agent(board) as running:
                more(subscriber, 3)
                assert running.end() == 0
            _collect_offline(board, url, 100)
            twin = SimulatedBoard(tmp_path / f"{number}b", url, device=board.device)
            shutil.copy(board.outbox, twin.outbox)
            ours, theirs = Account(board, subscriber), Account(twin, subscriber)
            ours.look()
            theirs.look()
            with agent(board) as one, agent(twin) as other:
                subscriber.wait(
                    lambda payloads: len({e for _, e, _ in Arrivals(payloads).times}) == 2
                )
                more(subscriber, 10)
                assert one.end() == other.end() == 0
            for account in (ours, theirs):
                with agent(account.board) as running:
                    more(subscriber, 5)
                    assert running.end() == 0
                came = account.settle(f"card {number + 1}", print)
            readings, doubled = readings + len(came.times), doubled + came.doubled
            assert board.disk().epoch != twin.disk().epoch
    report(
        f"{rounds} cards: {readings} readings of two boards, lost 0, doubled {doubled}, "
        "names given twice 0"
    )
