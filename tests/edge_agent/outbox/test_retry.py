"""Readings that the broker refuses: kept, tried again, and at last set aside one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.mqtt.message import Fate
from tests.edge_agent.support.outbox_bench import Bench, seqs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def _with_poison(bench: Bench, poison: bytes, rounds: int) -> list[int]:
    """The numbers that a broker took that refuses each payload with the poison in it."""
    taken: list[int] = []
    for _ in range(rounds):
        bench.put("live")
        bench.commit()
        while (message := bench.outbox.next()) is not None:
            if poison in message.payload:
                bench.outbox.settle(message, Fate.REFUSED, "payload format invalid (0x99)")
            else:
                taken += [
                    int(line.split(b'"seq":')[1].split(b",")[0])
                    for line in message.payload.split(b"\n")
                    if b'"guid":"a"' in line
                ]
                bench.outbox.settle(message, Fate.DELIVERED, "")
        bench.pass_by(60)
    return taken


def test_one_that_is_refused_alone_is_set_aside_and_blocks_no_other(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=100)
    bench.commit()
    bench.close()
    bench = Bench(path)
    poison = b'"seq":77,'
    taken = _with_poison(bench, poison, 60)
    assert sorted(set(taken)) == [seq for seq in range(1, 101) if seq != 77]
    assert len(taken) == 99
    assert bench.outbox.aside == 1
    assert bench.outbox.rows == 1
    assert sum("is set aside" in line for line in bench.lines) == 1
    assert sum("the broker refuses readings" in line for line in bench.lines) == 2
    bench.commit()
    bench.close()
    # The next start tries it again.
    bench = Bench(path)
    assert seqs(bench.drain()) == [77]
    bench.close()


def test_a_broker_that_refuses_all_sets_nothing_aside(path: Path) -> None:
    bench = Bench(path)
    for _ in range(30):
        bench.put("a")
        bench.commit()
        bench.take()
        bench.settle(Fate.REFUSED, "not authorized (0x87)")
        bench.pass_by(61)
    assert (bench.outbox.aside, bench.outbox.rows) == (0, 30)
    found = bench.drain()
    assert sorted(seqs(found)) == list(range(1, 31))
    bench.close()


def test_after_a_refusal_messages_go_one_at_a_time_and_ever_more_seldom(path: Path) -> None:
    bench = Bench(path)
    sent = 0
    for _ in range(200):
        bench.put("a")
        bench.commit()
        message = bench.outbox.next()
        if message is not None:
            assert bench.outbox.next() is None or sent == 0
            sent += 1
            bench.outbox.settle(message, Fate.REFUSED, "quota of the day")
    assert sent < 30
    bench.close()
