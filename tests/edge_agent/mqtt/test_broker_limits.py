"""Limits of a broker that it does not announce, and what it does not do: the agent delivers."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from isotherm.mqtt.topics import readings_topic, status_topic
from tests.edge_agent.support.brokers import Retained
from tests.edge_agent.support.hostile_broker import packet_size
from tests.edge_agent.support.odd_brokers import Board, mosquitto, seqs
from tests.edge_agent.support.outbox_bench import Bench
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import await_true, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import Program

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("own_config")]

OUTAGE_READINGS: Final = 1_000
PROBES: Final = 20


def _complete(payloads: list[bytes], readings: int) -> bool:
    """Whether of each sensor all numbers came up to some, and so many in all."""
    found = seqs(payloads)
    if sum(map(len, map(set, found.values()))) < readings:
        return False
    return all(set(numbers) == set(range(1, max(numbers) + 1)) for numbers in found.values())


def _fill(board: Board, readings: int) -> None:
    """Let readings wait in the outbox, as after an outage."""
    bench = Bench(board.outbox)
    bench.put(*(f"g{number}" for number in range(PROBES)), ticks=readings // PROBES)
    bench.commit()
    bench.close()


def _delivers(agent: Program, subscriber: Subscriber, backlog: int) -> None:
    """All of the backlog comes, and what is read meanwhile comes at once."""
    begun = time.monotonic()
    subscriber.wait(lambda found: _complete(found, backlog + 10 * PROBES), 30.0)
    taken = time.monotonic() - begun
    assert taken < 20.0, taken
    before = len(subscriber.payloads)
    subscriber.wait(lambda found: len(found) >= before + 5, 5.0)
    assert agent.end(signal.SIGTERM) == 0
    assert "set_aside=0" in agent.lines[-1]
    assert "refused=0" in agent.lines[-1]


def test_a_backlog_fits_a_broker_that_takes_short_payloads_only(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker", "message_size_limit 10000") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", url, probes=PROBES)
        _fill(board, OUTAGE_READINGS)
        with Subscriber(url, board.topic) as subscriber, program(*board.run) as agent:
            _delivers(agent, subscriber, OUTAGE_READINGS)
        assert max(map(len, subscriber.payloads)) <= 10_000


class HangingUp:
    """A relay to a broker that ends the connection at a packet of ours above a size.

    Args:
        port: of the broker.
        most: bytes of the largest packet that passes.
    """

    def __init__(self, port: int, most: int) -> None:
        self._to = port
        self._most = most
        self.ended = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._up, args=(client, broker), daemon=True).start()
            threading.Thread(target=self._down, args=(broker, client), daemon=True).start()

    def _down(self, source: socket.socket, to: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                to.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            to.close()

    def _up(self, source: socket.socket, to: socket.socket) -> None:
        rest = b""
        try:
            while data := source.recv(65_536):
                rest += data
                while (size := packet_size(rest)) is not None:
                    if size > self._most:
                        self.ended += 1
                        return
                    if len(rest) < size:
                        break
                    to.sendall(rest[:size])
                    rest = rest[size:]
        except OSError:
            pass
        finally:
            source.close()
            to.close()


@contextmanager
def _hanging_up(port: int, most: int) -> Iterator[HangingUp]:
    relay = HangingUp(port, most)
    try:
        yield relay
    finally:
        relay.close()


@pytest.mark.parametrize(("most", "backlog"), ((1_000, OUTAGE_READINGS), (32_768, 4_000)))
def test_a_backlog_fits_a_broker_that_hangs_up_at_long_packets(
    tmp_path: Path, most: int, backlog: int
) -> None:
    with (
        mosquitto(tmp_path / "broker") as broker,
        _hanging_up(broker.port, most) as relay,
    ):
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", f"mqtt://127.0.0.1:{relay.port}", probes=PROBES)
        _fill(board, backlog)
        with Subscriber(url, board.topic) as subscriber, program(*board.run) as agent:
            _delivers(agent, subscriber, backlog)
        assert 0 < relay.ended < 12


@pytest.mark.parametrize(
    ("line", "probes", "words"),
    (
        ("message_size_limit 1000", 20, "the status goes without its probes"),
        ("max_packet_size 1500", 20, "the status goes without its probes"),
        ("message_size_limit 240", 3, "the broker takes no last will"),
        ("max_packet_size 300", 3, "the broker takes no last will"),
        ("retain_available false", 3, "it keeps no retained messages"),
        ("max_qos 0", 3, "delivery cannot be promised"),
    ),
)
def test_what_a_broker_does_not_do_is_said_and_readings_are_delivered(
    tmp_path: Path, line: str, probes: int, words: str
) -> None:
    with mosquitto(tmp_path / "broker", line) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", url, probes=probes)
        with (
            Retained(url, status_topic(board.device)) as status,
            Subscriber(url, board.topic) as subscriber,
            program(*board.run) as agent,
        ):
            agent.await_line(words, 20)
            subscriber.wait(lambda found: _complete(found, 10 * probes), 20.0)
            if "no last will" not in words:
                await_true(lambda: status.json(status_topic(board.device)) != {}, "the status", 10)
            assert agent.end(signal.SIGTERM) == 0
        lines = [line for line in agent.lines if "no broker" in line]
        # A CONNECT that gets no answer looks as if there were none.
        assert len(lines) <= 1, lines
        assert "set_aside=0" in agent.lines[-1]


def test_a_reading_that_alone_is_too_large_blocks_no_other(tmp_path: Path) -> None:
    long = "g" + "x" * 120
    with mosquitto(tmp_path / "broker", "message_size_limit 330") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", url, probes=2)
        text = board.file.read_text().replace('"g1"', f'"{long}"')
        board.file.write_text(text)
        with Subscriber(url, board.topic) as subscriber, program(*board.run) as agent:
            agent.await_line("a reading is set aside", 20)
            agent.await_line("further readings that are set aside are only counted", 20)
            subscriber.wait(lambda found: _complete(found, 50), 20.0)
            assert agent.end(signal.SIGTERM) == 0
        assert {guid for guid, _ in seqs(subscriber.payloads)} == {"g0"}
        assert len([line for line in agent.lines if "set aside: it alone" in line]) == 5
        assert "larger than the broker takes" in next(x for x in agent.lines if "it alone" in x)


def test_without_qos_1_what_was_not_read_goes_again(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker", "max_qos 0") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", url, probes=PROBES)
        _fill(board, 500)
        with Subscriber(url, board.topic) as subscriber, program(*board.run) as agent:
            _delivers(agent, subscriber, 500)


def test_two_boards_with_one_id_say_so_and_both_deliver(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        boards = [
            Board(tmp_path / name, url, probes=2, device="twins") for name in ("one", "other")
        ]
        with (
            Subscriber(url, boards[0].topic) as subscriber,
            program(*boards[0].run) as one,
            program(*boards[1].run) as other,
        ):
            for agent in (one, other):
                line = agent.await_line("another agent uses device.id twins", 30)
                assert "give each a device.id of its own" in line
            begun = len(subscriber.payloads)

            def both() -> bool:
                return len(seqs(subscriber.payloads[begun:])) == 4

            await_true(both, "readings of both", 60)
            for agent in (one, other):
                agent.end()
        for agent in (one, other):
            assert len([x for x in agent.lines if "another agent uses" in x]) == 1
            assert len([x for x in agent.lines if " connected " in x]) < 12


def test_a_replay_parts_batches_that_are_too_large(tmp_path: Path) -> None:
    file = tmp_path / "readings.jsonl"
    lines = [b'{"n":%d,"pad":"%b"}' % (n, b"x" * 200) for n in range(2_000)]
    # This one cannot be parted.
    lines[777] = b"y" * 5_000
    file.write_bytes(b"\n".join(lines) + b"\n")
    with mosquitto(tmp_path / "broker", "message_size_limit 4000") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        arguments = ["replay", str(file), "--mqtt", url, "--batch", "200", "--give-up", "20s"]
        with Subscriber(url, readings_topic("replay")) as subscriber:
            with program("edge_agent", *arguments) as replay:
                replay.await_line("line=778", 30)
                replay.await_line("replayed 2000 lines: 1999 acknowledged, 1 refused", 30)
                assert replay.process.wait(20) == 1
            came = sorted(line for payload in subscriber.payloads for line in payload.split(b"\n"))
    assert came == sorted(line for line in lines if line[:1] == b"{")
