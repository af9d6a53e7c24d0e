"""Whatever a broker sends, the probes are read at their interval, and readings go out."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge_agent.mqtt.transport import MAX_PACKET
from isotherm.contract.verdict import decode
from isotherm.mqtt.topics import status_topic
from tests.edge_agent.support.hostile_broker import HostileBroker, retained
from tests.edge_agent.support.odd_brokers import Board
from tests.support import await_true, program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("own_config")]

TOPIC = "isotherm/v1/status/pi"
STATUS = b'{"schema":"isotherm.status/1","online":true,"epoch":%b,"next_id":%b,"life":%b}'
NAME = b'"0123456789abcdef"'


def _times(payloads: list[bytes], guid: str = "g0") -> list[int]:
    """When its readings were taken, nanoseconds."""
    found = [decode(line) for payload in list(payloads) for line in payload.split(b"\n")]
    return sorted({reading.event_time for reading in found if reading.guid == guid})


def _gap(payloads: list[bytes]) -> float:
    """The longest time between two readings of a probe, seconds."""
    return max(after - before for before, after in pairwise(_times(payloads))) / 1e9


FLOODS = pytest.mark.parametrize(
    "flood",
    (
        b"\xd0\0" * 30_000,
        retained("x", b"y") * 8_000,
        retained(TOPIC, b"[" * 100_000),
        retained("x", b"y" * 1_000_000),
    ),
    ids=("pings", "short", "own topic", "long"),
)


@FLOODS
def test_a_flood_stops_neither_probes_nor_readings(tmp_path: Path, flood: bytes) -> None:
    with HostileBroker(flood=flood) as broker:
        board = Board(tmp_path, f"mqtt://127.0.0.1:{broker.port}", probes=2, device="pi")
        with program(*board.run) as agent:
            agent.await_line(" connected ")
            await_true(lambda: len(_times(broker.payloads)) >= 40, "40 readings", 40)
            assert agent.process.poll() is None
            agent.end()
    assert _gap(broker.payloads) < 1.0


@FLOODS
def test_a_flood_in_place_of_a_greeting_does_not_stop_the_probes(
    tmp_path: Path, flood: bytes
) -> None:
    with HostileBroker(flood=flood, at="greeting") as broker:
        board = Board(tmp_path, f"mqtt://127.0.0.1:{broker.port}", probes=2, device="pi")
        with program(*board.run) as agent:
            await_true(lambda: broker.connections > 0, "the flood")
            await_true(lambda: _taken(board) >= 40, "40 readings", 20)
            assert agent.end() == 0
    walls = _walls(board)
    assert max((after - before for before, after in pairwise(walls)), default=0) < 1e9


def _walls(board: Board) -> list[int]:
    """When the readings of a probe were taken that wait in the outbox."""
    connection = sqlite3.connect(f"file:{board.outbox}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT wall FROM entry WHERE guid = 'g0' ORDER BY id")
        return [wall for (wall,) in found]
    finally:
        connection.close()


def _taken(board: Board) -> int:
    """The last number that a probe was given."""
    if not board.outbox.exists():
        return 0
    connection = sqlite3.connect(f"file:{board.outbox}?mode=ro", uri=True)
    try:
        (last,) = connection.execute("SELECT max(seq) FROM sensor").fetchone()
        return int(last or 0)
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize(
    "payload",
    (
        b"[" * 100_000,
        b'{"schema":"isotherm.status/1","a":' * 20_000,
        STATUS % (NAME, b"9" * 5_000, NAME),
        STATUS % (NAME, b"1e999", NAME),
        STATUS % (NAME, b"-1", b'"\\ud800\\udfff123456789a"'),
        STATUS % (b"null", b"true", b"[[]]"),
        b"\xff\xfe\x00" * 1_000,
        b"x" * 5_000_000,
        b"",
    ),
    ids=("deep", "deep objects", "digits", "infinite", "surrogates", "types", "bytes", "5 MB", "0"),
)
def test_whatever_stands_where_our_status_belongs_is_no_obstacle(
    tmp_path: Path, payload: bytes
) -> None:
    assert status_topic("pi") == TOPIC
    with HostileBroker(on_subscribe=retained(TOPIC, payload)) as broker:
        board = Board(tmp_path, f"mqtt://127.0.0.1:{broker.port}", probes=1, device="pi")
        with program(*board.run) as agent:
            await_true(lambda: len(_times(broker.payloads)) >= 5, "readings", 20)
            assert agent.end() == 0
    # Longer than we said that we take: the connection ends, and the next one does not ask for it.
    assert broker.connections == (1 if len(payload) < MAX_PACKET else 2)


@pytest.mark.parametrize(
    "packet",
    (
        b"\x40\xff\xff\xff\x7f" + b"\0" * 100,
        b"\xd0\xff\xff\xff\xff\xff",
        b"\x00\0",
        b"\xf0\0",
        b"\x20\x02\0\0",
        b"\x40\0",
        b"\x40\x01\0",
        b"\x90\0",
        b"\x31\x02\xff\xff",
        b"\xe0\x01\x8b",
        b"\xe0\x02\x42\x05",
    ),
    ids=lambda packet: packet[:6].hex(),
)
def test_a_packet_that_makes_no_sense_costs_a_connection_at_most(
    tmp_path: Path, packet: bytes
) -> None:
    with HostileBroker(once=packet) as broker:
        board = Board(tmp_path, f"mqtt://127.0.0.1:{broker.port}", probes=1, device="pi")
        with program(*board.run) as agent:
            await_true(lambda: len(_times(broker.payloads)) >= 20, "readings", 30)
            assert agent.end() == 0
    assert _gap(broker.payloads) < 1.0
