"""A full outbox: what is dropped, and the gaps that account for it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from edge_agent.mqtt.message import Fate
from edge_agent.outbox.overflow.policy import FEWEST_ROWS, Bounds, Overflow, Room
from tests.edge_agent.support.outbox_bench import Bench, is_gap, seqs

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

MOST = 1_200


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def _account(records: list[dict[str, Any]], guids: str) -> None:
    """Every number of a sensor came once: in a reading, a gap's own place, or a gap's count."""
    for guid in guids:
        mine = [record for record in records if record["guid"] == guid]
        came = [record["origin"]["seq"] for record in mine]
        assert len(came) == len(set(came))
        lost = [record["payload"]["data"] for record in mine if is_gap(record)]
        given = max([*came, *(gap["last"] for gap in lost)])
        assert given == len(came) + sum(gap["count"] for gap in lost)
        for gap in lost:
            inside = set(range(gap["first"], gap["last"] + 1))
            assert len(inside - set(came)) >= gap["count"]


def _overfill(bench: Bench, guids: str, ticks: int) -> None:
    for _ in range(ticks // 50):
        bench.put(*guids, ticks=50)
        bench.commit()


@pytest.mark.parametrize("overflow", Overflow)
def test_the_bound_holds_and_what_is_dropped_is_accounted_for(
    path: Path, overflow: Overflow
) -> None:
    bench = Bench(path, max_rows=MOST, overflow=overflow)
    _overfill(bench, "ab", 1_500)
    # A gap for each sensor may come on top.
    assert bench.outbox.rows <= MOST + 2
    assert bench.outbox.dropped >= 3_000 - MOST
    records = bench.drain()
    assert bench.outbox.rows == 0
    _account(records, "ab")
    bench.put("a")
    bench.commit()
    reasons = {r["payload"]["data"]["reason"] for r in records if is_gap(r)}
    assert reasons == {overflow.value}
    assert sum("the outbox is full" in line for line in bench.lines) == 2, bench.lines
    bench.close()


def test_the_oldest_go_and_the_newest_stay(path: Path) -> None:
    bench = Bench(path, max_rows=MOST, overflow=Overflow.DROP_OLDEST)
    _overfill(bench, "a", 2_000)
    records = bench.drain()
    kept = sorted(set(seqs([r for r in records if not is_gap(r)])))
    assert kept[0] > 800
    assert kept[-1] >= 2_000
    (gap,) = [r for r in records if is_gap(r)]
    assert gap["payload"]["data"]["first"] == 1
    assert gap["payload"]["data"]["last"] == gap["payload"]["data"]["count"]
    bench.close()


def test_the_newest_go_and_the_oldest_stay(path: Path) -> None:
    bench = Bench(path, max_rows=MOST, overflow=Overflow.DROP_NEWEST)
    _overfill(bench, "a", 2_000)
    records = [r for r in bench.drain() if not is_gap(r)]
    assert set(range(1, 1_150)) <= set(seqs(records))
    bench.close()


def test_thinning_leaves_the_course_sparser_the_older(path: Path) -> None:
    bench = Bench(path, max_rows=MOST, overflow=Overflow.THIN)
    _overfill(bench, "a", 4_000)
    kept = Counter(seq // 1_000 for seq in seqs([r for r in bench.drain() if not is_gap(r)]))
    blocks = [kept[block] for block in range(4)]
    assert min(blocks) > 0
    assert blocks == sorted(blocks)
    bench.close()


def test_a_gap_that_was_sent_grows_no_more(path: Path) -> None:
    bench = Bench(path, max_rows=MOST)
    _overfill(bench, "a", 1_500)
    records = bench.take()
    assert any(map(is_gap, records)) or bench.outbox.rows
    while not any(map(is_gap, records)):
        bench.settle()
        bench.commit()
        records += bench.take()
    bench.settle(Fate.UNHEARD)
    _overfill(bench, "a", 1_500)
    records = [r for r in records if not is_gap(r)] + bench.drain()
    names = [r["origin"]["seq"] for r in records]
    assert len(names) >= len(set(names))
    gaps = {r["origin"]["seq"]: r["payload"]["data"] for r in records if is_gap(r)}
    assert len(gaps) >= 2
    dropped = sum(gap["count"] for gap in gaps.values())
    assert dropped == bench.outbox.dropped
    bench.close()


def test_a_crash_in_a_full_outbox_loses_no_account(path: Path) -> None:
    records: list[dict[str, Any]] = []
    for _ in range(3):
        bench = Bench(path, max_rows=MOST)
        _overfill(bench, "a", 700)
        bench.kill()
    bench = Bench(path, max_rows=MOST)
    records = bench.drain()
    _account(records, "a")
    assert max(seqs(records)) >= 2_100
    bench.close()


def test_a_file_that_is_too_large_shrinks(path: Path) -> None:
    bench = Bench(path, max_bytes=1 << 18)
    _overfill(bench, "ab", 2_500)
    assert bench.outbox.dropped > 0
    assert path.stat().st_size < 1 << 19
    _account(bench.drain(), "ab")
    bench.close()


def test_a_disk_that_fills_up_stops_its_growth(path: Path) -> None:
    bench = Bench(path, min_free_bytes=1 << 62)
    _overfill(bench, "a", 2_000)
    assert FEWEST_ROWS <= bench.outbox.rows <= FEWEST_ROWS + 102
    _account(bench.drain(), "a")
    bench.close()


def test_room_is_given_back_when_there_is_room_again() -> None:
    room = Room(Bounds(max_rows=5_000, max_bytes=1_000_000, min_free_bytes=100))
    room.measure(rows=4_000, used=2_000_000, free=None)
    assert (room.rows, room.why) == (2_000, "outbox.max_bytes")
    room.measure(rows=2_000, used=950_000, free=None)
    assert room.rows == 2_000
    room.measure(rows=1_500, used=800_000, free=None)
    assert (room.rows, room.why) == (5_000, "outbox.max_rows")
    room.measure(rows=3_000, used=1, free=99)
    room.measure(rows=3_500, used=1, free=99)
    assert (room.rows, room.why) == (3_000, "outbox.min_free_bytes")
    room.measure(rows=3_000, used=1, free=100)
    assert room.rows == 5_000
