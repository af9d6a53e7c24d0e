"""The outbox with a real SQLite file and injected clocks."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edge_agent.errors import OutboxInUseError
from edge_agent.mqtt.message import Fate
from edge_agent.outbox.scheduler import BACKFILL_PACKETS, PACKET_BYTES
from isotherm.contract.verdict import decode
from tests.edge_agent.support.outbox_bench import Bench, names, seqs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_nothing_is_sent_before_it_is_committed(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    assert bench.take() == []
    bench.commit()
    assert seqs(bench.take()) == [1]
    bench.close()


def test_one_tick_is_one_message_for_all_probes(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", "b", "c")
    bench.commit()
    message = bench.outbox.next()
    assert message is not None
    assert message.readings == 3
    assert [decode(line).guid for line in message.payload.split(b"\n")] == ["a", "b", "c"]
    assert bench.outbox.next() is None
    bench.close()


def test_one_commit_per_interval_however_much_comes(path: Path) -> None:
    bench = Bench(path)
    before = bench.outbox.commits
    for _ in range(50):
        bench.put("a")
        bench.outbox.turn(bench.monotonic)
        bench.pass_by(0.01)
    bench.commit()
    assert bench.outbox.commits - before <= 2
    assert seqs(bench.take()) == list(range(1, 51))
    bench.close()


def test_what_was_acknowledged_is_gone_and_the_rest_is_there_after_a_restart(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=3)
    bench.commit()
    bench.take()
    bench.settle()
    bench.put("a", ticks=2)
    bench.commit()
    bench.close()
    again = Bench(path)
    assert again.outbox.rows == 2
    assert seqs(again.drain()) == [4, 5]
    assert again.outbox.rows == 0
    again.close()


def test_a_crash_loses_nothing_that_was_committed_and_gives_no_number_twice(path: Path) -> None:
    sent: dict[tuple[str, str, int], int] = {}
    for life in range(20):
        bench = Bench(path)
        bench.put("a", "b", ticks=3)
        bench.commit()
        for record in bench.take():
            name = names([record])[0]
            assert sent.setdefault(name, record["eventTime"]) == record["eventTime"]
        if life % 3:
            bench.settle()
        bench.put("a")
        if life % 2:
            bench.commit()
        bench.kill()
    bench = Bench(path)
    for record in bench.drain():
        sent[names([record])[0]] = record["eventTime"]
    bench.close()
    (epoch,) = {epoch for _, epoch, _ in sent}
    for guid in "ab":
        found = sorted(seq for name, _, seq in sent if name == guid)
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= 60
    assert bench.outbox.mark.epoch == epoch


def test_a_reboot_is_no_new_epoch(path: Path) -> None:
    first = Bench(path).close()
    second = Bench(path, boot="b1" * 16).close()
    assert first.epoch == second.epoch
    assert first.life != second.life


def test_live_goes_before_the_backlog_which_follows_in_full_packets(path: Path) -> None:
    bench = Bench(path)
    bench.put(*"abcdefghij", ticks=200)
    bench.commit()
    bench.close()
    bench = Bench(path)
    bench.put("live")
    bench.commit()
    first = bench.outbox.next()
    assert first is not None
    assert decode(first.payload).guid == "live"
    packets = []
    while (message := bench.outbox.next()) is not None:
        packets.append(message)
    assert len(packets) == BACKFILL_PACKETS
    for packet in packets:
        assert PACKET_BYTES - 300 < len(packet.payload) <= PACKET_BYTES
    bench.settle()
    bench.close()


def test_the_backlog_keeps_its_rate_while_live_readings_pass(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=4000)
    bench.commit()
    bench.close()
    bench = Bench(path, rate=100.0)
    sent = live = 0
    for _ in range(20):
        bench.put("live")
        bench.commit()
        records = bench.take()
        bench.settle()
        live += len(seqs(records, "live"))
        sent += len(seqs(records))
    assert live == 20
    # A packet goes whole, so it may be one ahead of the rate.
    assert 1500 <= sent <= 100 * 21 + 400
    bench.close()


def test_what_is_live_too_long_becomes_backlog_and_none_is_lost(path: Path) -> None:
    bench = Bench(path)
    for _ in range(30):
        bench.put(*"abcdefghij", ticks=10)
        bench.commit()
    found = bench.drain()
    for guid in "abcdefghij":
        assert sorted(seqs(found, guid)) == list(range(1, 301))
    bench.close()


def test_a_packet_is_no_larger_than_the_broker_takes(path: Path) -> None:
    bench = Bench(path)
    bench.outbox.fits(lambda: 1000)
    bench.put("a", ticks=50)
    bench.commit()
    while (message := bench.outbox.next()) is not None:
        assert len(message.payload) <= 1000
        bench.outbox.settle(message, Fate.DELIVERED, "")
    assert bench.outbox.rows == 0
    bench.close()


def test_what_nobody_gets_stays_and_is_told_once(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=3)
    bench.commit()
    bench.take()
    bench.settle(Fate.UNHEARD)
    assert bench.outbox.rows == 3
    # It holds, and tries one message at a time.
    assert bench.take() == []
    for _ in range(3):
        bench.pass_by(60)
        message = bench.outbox.next()
        assert message is not None
        assert bench.outbox.next() is None
        bench.outbox.settle(message, Fate.UNHEARD, "")
    assert sum("nobody gets" in line for line in bench.lines) == 1
    found = bench.drain()
    assert sum("over: nobody gets" in line for line in bench.lines) == 1
    assert {1, 2, 3} <= set(seqs(found))
    assert bench.outbox.rows == 0
    bench.close()


def test_a_second_agent_on_the_file_ends_with_a_sentence(path: Path) -> None:
    bench = Bench(path)
    with pytest.raises(OutboxInUseError, match="in use by another isotherm-agent; stop that one"):
        Bench(path)
    code = (
        "import pathlib, sys; from edge_agent.outbox.storage.recovery import FileLock; "
        "FileLock(pathlib.Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert "in use by another isotherm-agent" in done.stderr
    bench.close()
    Bench(path).close()


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "outbox.db"
    bench = Bench(path)
    assert not bench.outbox.in_memory
    bench.close()
    assert path.exists()
