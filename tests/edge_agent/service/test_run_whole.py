"""The whole agent: two DS18B20 in a fake sysfs, a real broker, and what goes wrong between them."""

from __future__ import annotations

import signal
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pytest

from deploy.demo.fleet.network import Proxy
from deploy.local.services.mosquitto import Mosquitto
from isotherm.contract.verdict import decode
from isotherm.mqtt.topics import readings_topic, status_topic
from tests.edge_agent.support.brokers import Retained, running
from tests.edge_agent.support.fake_sys import FakeSys
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import Program, program, unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

pytestmark = pytest.mark.integration

ADDRESSES = ("28-0316a2791aff", "28-0316a2791b00")


class _Forgetful(Mosquitto):
    """A broker that keeps nothing over a restart."""

    def configure(self, *ports: int) -> None:
        super().configure(*ports)
        text = self._config.read_text(encoding="utf-8")
        assert "persistence true" in text
        self._config.write_text(text.replace("persistence true", "persistence false"))


class _Board(NamedTuple):
    device: str
    config: str

    def agent(self) -> AbstractContextManager[Program]:
        return program("edge_agent", "run", "--config", self.config)

    def readings(self, broker: str) -> Subscriber:
        return Subscriber(broker, readings_topic(self.device))


def _url(broker: Mosquitto) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


@pytest.fixture(params=(Mosquitto, _Forgetful), ids=("persistent", "forgetful"))
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mosquitto]:
    with running(request.param, tmp_path) as mosquitto:
        yield mosquitto


def _board(folder: Path, url: str) -> _Board:
    tree = FakeSys(folder / "sys")
    device = unique("board")
    probes = ""
    for address in ADDRESSES:
        tree.sensor(address)
        probes += f'[[probe]]\nguid = "{device}-{address}"\ndriver = "w1"\n'
        probes += f'address = "{address}"\ninterval = "100ms"\n'
    file = folder / "agent.toml"
    head = f'[device]\nid = "{device}"\nstate = "CA"\nsysfs = "{folder / "sys"}"\n'
    file.write_text(f'{head}[mqtt]\nurl = "{url}"\nkeepalive = "5s"\n{probes}')
    return _Board(device, str(file))


def _seqs(payloads: list[bytes]) -> dict[tuple[str, str], set[int]]:
    """The sequence numbers of each sensor and epoch."""
    found = defaultdict(set)
    for payload in list(payloads):
        for line in payload.split(b"\n"):
            reading = decode(line)
            assert reading.origin is not None
            found[reading.guid, reading.origin.epoch].add(reading.origin.seq)
    return found


def _total(payloads: list[bytes]) -> int:
    return sum(map(len, _seqs(payloads).values()))


def _more(readings: Subscriber, number: int) -> None:
    """Wait for so many more readings than there are."""
    wanted = _total(readings.payloads) + number
    readings.wait(lambda payloads: _total(payloads) >= wanted)


def _ends_complete(board: _Board, agent: Program, readings: Subscriber, url: str) -> None:
    """All that was ever measured is there: two sensors, one epoch, no number missing."""
    topic = status_topic(board.device)
    with Retained(url, topic) as kept:
        assert agent.end() == 0
        goodbye = kept.await_json(topic, "online", value=False)
    rows = goodbye["outbox"]["rows"]
    readings.wait(lambda payloads: _total(payloads) + rows >= goodbye["next_id"] - 1)
    seqs = _seqs(readings.payloads)
    assert {guid for guid, _ in seqs} == {f"{board.device}-{address}" for address in ADDRESSES}
    assert len(seqs) == 2
    for found in seqs.values():
        assert found == set(range(1, max(found) + 1))


def test_kills_and_outages_lose_nothing(broker: Mosquitto, tmp_path: Path) -> None:
    board, url = _board(tmp_path, _url(broker)), _url(broker)
    with board.readings(url) as readings:
        for _ in range(3):
            with board.agent() as agent:
                _more(readings, 5)
                agent.end(signal.SIGKILL)
        broker.stop()
        with board.agent() as agent:
            agent.await_line("no broker")
            agent.end(signal.SIGKILL)
        with board.agent() as agent:
            agent.await_line("no broker")
            broker.launch()
            broker.wait_ready(may_move=False)
            _more(readings, 20)
            _ends_complete(board, agent, readings, url)


def test_a_line_that_goes_silent_loses_nothing(tmp_path: Path) -> None:
    with running(Mosquitto, tmp_path) as broker, Proxy(lambda: broker.port) as proxy:
        url = _url(broker)
        board = _board(tmp_path, f"mqtt://127.0.0.1:{proxy.port}")
        with board.readings(url) as readings, board.agent() as agent:
            _more(readings, 5)
            proxy.silence()
            assert "silent" in agent.await_line("no broker")
            # A new connection is accepted, and then as silent.
            assert "no answer to our first words" in agent.await_line("no broker")
            proxy.heal()
            _more(readings, 100)
            _ends_complete(board, agent, readings, url)


def test_a_backup_that_is_put_back_begins_a_new_epoch(tmp_path: Path) -> None:
    with running(Mosquitto, tmp_path) as broker:
        board, url = _board(tmp_path, _url(broker)), _url(broker)
        files = [tmp_path / f"outbox.db{side}" for side in ("", "-wal")]
        with board.readings(url) as readings:
            for life in range(3):
                with board.agent() as agent:
                    _more(readings, 10)
                    agent.end(signal.SIGKILL)
                if life == 0:
                    backup = [file.read_bytes() for file in files]
                if life == 1:
                    for file, kept in zip(files, backup, strict=True):
                        file.write_bytes(kept)
            seqs = _seqs(readings.payloads)
            lines = [line for payload in list(readings.payloads) for line in payload.split(b"\n")]
    assert len({epoch for _, epoch in seqs}) == 2
    # No two readings have one name: what came twice is the same, byte for byte.
    assert len(set(lines)) == _total(readings.payloads)
