"""The outbox of a real agent, over a real broker: what is sent, and what a crash leaves."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from deploy.local.services.mosquitto import Mosquitto
from isotherm.contract.verdict import decode
from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.brokers import running
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import await_true, program, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

PROBES = 20
Name = tuple[str, str]


class Forgetful(Mosquitto):
    """A broker that keeps nothing over a restart."""

    def configure(self, *ports: int) -> None:
        super().configure(*ports)
        text = self._config.read_text()
        self._config.write_text(text.replace("persistence true", "persistence false"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Mosquitto, tmp_path_factory.mktemp("broker")) as mosquitto:
        yield f"mqtt://127.0.0.1:{mosquitto.port}"


class _Board:
    """A folder with agent.toml and the outbox."""

    def __init__(self, folder: Path, url: str, interval: str = "100ms") -> None:
        self.device = unique("outbox")
        self.outbox = folder / "outbox.db"
        self._file = folder / "agent.toml"
        probes = "".join(
            f'[[probe]]\nguid = "g{number}"\ndriver = "simulated"\ninterval = "{interval}"\n'
            for number in range(PROBES)
        )
        self._file.write_text(
            f'[device]\nid = "{self.device}"\nstate = "CA"\n[mqtt]\nurl = "{url}"\n'
            f'[outbox]\ncommit_interval = "50ms"\n{probes}'
        )

    @property
    def command(self) -> tuple[str, ...]:
        return ("edge_agent", "run", "--config", str(self._file))


def _await_more(subscriber: Subscriber, payloads: int) -> None:
    before = len(subscriber.payloads)
    subscriber.wait(lambda found: len(found) > before + payloads)


def _seqs(payloads: Iterable[bytes]) -> dict[Name, list[int]]:
    found: dict[Name, list[int]] = defaultdict(list)
    for payload in payloads:
        for line in payload.split(b"\n"):
            reading = decode(line)
            assert reading.origin is not None
            found[reading.guid, reading.origin.epoch].append(reading.origin.seq)
    return found


def _given(outbox: Path) -> dict[str, int]:
    """The last number of each sensor that an outbox gave."""
    connection = sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)
    try:
        return dict(connection.execute("SELECT guid, seq FROM sensor"))
    finally:
        connection.close()


def _epoch(outbox: Path) -> str:
    connection = sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)
    try:
        (epoch,) = connection.execute("SELECT value FROM fact WHERE name = 'epoch'").fetchone()
        return str(epoch)
    finally:
        connection.close()


def _complete(found: dict[Name, list[int]], given: dict[str, int]) -> bool:
    if len(found) < len(given):
        return False
    return all(set(numbers) >= set(range(1, given[g] + 1)) for (g, _), numbers in found.items())


def _kill_again_and_again(board: _Board, url: str, times: int) -> tuple[int, int]:
    """Readings that came, and how many of them came more than once."""
    draw = random.Random(times)
    with Subscriber(url, readings_topic(board.device)) as subscriber:
        for _ in range(times):
            with program(*board.command) as agent:
                _await_more(subscriber, draw.randrange(3, 12))
                time.sleep(draw.random() * 0.05)
                agent.end(signal.SIGKILL)
        with program(*board.command) as agent:
            _await_more(subscriber, 20)
            assert agent.end(signal.SIGTERM) == 0
            account = agent.lines[-1]
        assert "lost_from_memory=0" in account
        given = _given(board.outbox)
        await_true(lambda: _complete(_seqs(subscriber.payloads), given), "all that was given")
        found = _seqs(subscriber.payloads)
    assert len({epoch for _, epoch in found}) == 1
    assert {guid: max(numbers) for (guid, _), numbers in found.items()} == given
    came = sum(map(len, found.values()))
    return came, came - sum(given.values())


def test_kill_9_in_full_flow_loses_nothing(
    broker: str, tmp_path: Path, report: Callable[[str], None]
) -> None:
    came, doubled = _kill_again_and_again(_Board(tmp_path, broker), broker, 4)
    report(f"4 kills: {came} readings came, {doubled} of them doubles, 0 lost")


@pytest.mark.faults
def test_kill_9_forty_times_loses_nothing(
    broker: str, tmp_path: Path, report: Callable[[str], None]
) -> None:
    came, doubled = _kill_again_and_again(_Board(tmp_path, broker), broker, 40)
    report(f"40 kills: {came} readings came, {doubled} of them doubles, 0 lost")


def test_a_folder_that_is_removed_again_and_again_costs_nothing(
    broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state"
    monkeypatch.setenv("ISOTHERM_AGENT_OUTBOX_PATH", str(folder / "outbox.db"))
    board = _Board(tmp_path, broker)
    with Subscriber(broker, readings_topic(board.device)) as subscriber:
        with program(*board.command) as agent:
            for _ in range(4):
                _await_more(subscriber, 5)
                # In one step: the agent makes it anew within 50 ms.
                folder.rename(tmp_path / "gone")
                shutil.rmtree(tmp_path / "gone")
                agent.await_line("the outbox was taken away under the agent")
                agent.await_line("no reading was lost with the outbox's file")
            _await_more(subscriber, 5)
            assert agent.end(signal.SIGTERM) == 0
            account = agent.lines[-1]
        assert "lost_from_memory=0" in account
        assert "dropped=0" in account
        given = _given(folder / "outbox.db")
        (epoch,) = {mark for _, mark in _seqs(subscriber.payloads)} & {_epoch(folder / "outbox.db")}

        def on_disk() -> dict[Name, list[int]]:
            found = _seqs(subscriber.payloads)
            return {name: numbers for name, numbers in found.items() if name[1] == epoch}

        await_true(lambda: _complete(on_disk(), given), "all that was given")
        found = _seqs(subscriber.payloads)
    # What came while the file was missing has names of an epoch that lives in memory alone.
    assert len({mark for _, mark in found}) <= 2
    for numbers in found.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_whatever_moment_a_copy_is_of_nothing_was_sent_that_it_does_not_know(
    broker: str, tmp_path: Path
) -> None:
    board = _Board(tmp_path, broker)
    draw = random.Random(1)
    copies: list[tuple[dict[str, int], list[tuple[str, int]]]] = []
    with (
        Subscriber(broker, readings_topic(board.device)) as subscriber,
        program(*board.command) as agent,
    ):
        for number in range(6):
            _await_more(subscriber, 2)
            time.sleep(draw.random() * 0.1)
            agent.process.send_signal(signal.SIGSTOP)
            sent = _seqs(list(subscriber.payloads))
            copy = tmp_path / f"copy{number}.db"
            for side in ("", "-wal"):
                shutil.copy(f"{board.outbox}{side}", f"{copy}{side}")
            agent.process.send_signal(signal.SIGCONT)
            given = _given(copy)
            waiting = sqlite3.connect(copy)
            rows = waiting.execute("SELECT guid, seq FROM entry").fetchall()
            waiting.close()
            for (guid, _), numbers in sent.items():
                assert max(numbers) <= given[guid]
            copies.append((given, rows))
        await_true(lambda: _complete(_seqs(subscriber.payloads), copies[-1][0]), "the last copy's")
        found = _seqs(subscriber.payloads)
    for given, rows in copies:
        for (guid, _), numbers in found.items():
            # What a copy holds no more has arrived.
            held = {seq for name, seq in rows if name == guid}
            assert set(range(1, given[guid] + 1)) - held <= set(numbers)


def test_a_broker_that_forgets_everything_loses_nothing(tmp_path: Path) -> None:
    with running(Forgetful, tmp_path / "broker") as mosquitto:
        url = f"mqtt://127.0.0.1:{mosquitto.port}"
        board = _Board(tmp_path, url)
        with (
            Subscriber(url, readings_topic(board.device)) as subscriber,
            program(*board.command) as agent,
        ):
            for _ in range(2):
                _await_more(subscriber, 5)
                mosquitto.stop()
                mosquitto.launch()
                mosquitto.wait_ready()
            _await_more(subscriber, 10)
            assert agent.end(signal.SIGTERM) == 0
            given = _given(board.outbox)
            rows = sqlite3.connect(board.outbox)
            held: dict[str, set[int]] = {name: set() for name in given}
            for guid, seq in rows.execute("SELECT guid, seq FROM entry"):
                held[guid].add(seq)
            rows.close()

            def whole() -> bool:
                found = _seqs(subscriber.payloads)
                return all(
                    set(numbers) | held[guid] >= set(range(1, given[guid] + 1))
                    for (guid, _), numbers in found.items()
                )

            await_true(whole, "all that was acknowledged")
