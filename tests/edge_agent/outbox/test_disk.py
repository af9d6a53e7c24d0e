"""A disk that is full, read-only, slow, or not there."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from edge_agent.mqtt.message import Fate
from edge_agent.outbox.overflow.policy import Overflow
from edge_agent.outbox.storage.persistence import STALL
from tests.edge_agent.support.outbox_bench import Bench, is_gap, names, seqs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

IN_MEMORY = "goes on in memory"
BACK = "on disk again"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own."""
    disk = tmp_path / "tiny"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@contextlib.contextmanager
def _files_end_at(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes (setrlimit(2)); to SQLite that is a failing disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _said(bench: Bench, what: str) -> int:
    return sum(what in line for line in bench.lines)


def _whole(records: list[dict[str, Any]], guid: str, count: int) -> None:
    """Each of so many readings came, under names of any epochs, none of them twice."""
    found = names([record for record in records if record["guid"] == guid])
    assert len(found) == len(set(found)) == count
    by_epoch: dict[str, list[int]] = {}
    for _, epoch, seq in found:
        by_epoch.setdefault(epoch, []).append(seq)
    for numbers in by_epoch.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_while_the_disk_fails_it_goes_on_in_memory_and_says_so_once(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=10)
    bench.commit()
    records = bench.take()
    with _files_end_at(1_000):
        for _ in range(5):
            bench.put("a")
            bench.commit()
            records += bench.take()
            bench.settle()
        assert _said(bench, IN_MEMORY) == 1
    sent_meanwhile = len(records)
    bench.pass_by(60)
    bench.put("a")
    records += bench.drain()
    assert not bench.outbox.in_memory
    assert (_said(bench, IN_MEMORY), _said(bench, BACK)) == (1, 1)
    # All but the one whose commit failed went out at once.
    assert sent_meanwhile == 14
    _whole(records, "a", 16)
    assert bench.outbox.lost_at_end == 0
    bench.close()
    assert bench.outbox.rows == 0


def test_what_is_in_memory_reaches_the_disk_when_it_is_back(path: Path) -> None:
    bench = Bench(path)
    with _files_end_at(1_000):
        for _ in range(5):
            bench.put("a")
            bench.commit()
    assert bench.outbox.lost_at_end == 5
    bench.pass_by(60)
    bench.commit()
    bench.put("a")
    bench.commit()
    bench.kill()
    again = Bench(path)
    _whole(again.drain(), "a", 6)
    again.close()


def test_memory_is_bounded_and_what_it_drops_is_a_gap(path: Path) -> None:
    for overflow in Overflow:
        bench = Bench(path, memory_rows=20, overflow=overflow)
        with _files_end_at(1_000):
            for _ in range(60):
                bench.put("a")
                bench.commit()
            assert _said(bench, IN_MEMORY) == 1
            assert bench.outbox._queue.unsaved <= 22  # noqa: SLF001 what is bounded
        bench.pass_by(60)
        records = bench.drain()
        lost = sum(r["payload"]["data"]["count"] for r in records if is_gap(r))
        assert lost == bench.outbox.dropped > 0
        assert len([r for r in records if not is_gap(r)]) + lost == 60
        bench.close()


@pytest.mark.parametrize("sent", (True, False), ids=("sent between", "not sent"))
@pytest.mark.parametrize("overflow", Overflow)
def test_what_memory_drops_is_a_gap_each_time_that_the_disk_fails(
    path: Path, overflow: Overflow, *, sent: bool
) -> None:
    bench = Bench(path, memory_rows=20, overflow=overflow)
    records: list[dict[str, Any]] = []
    for _ in range(2):
        with _files_end_at(1_000):
            for _ in range(60):
                bench.put("a")
                bench.commit()
        bench.pass_by(60)
        bench.commit()
        if sent:
            records += bench.drain()
    records += bench.drain()
    assert len(set(names(records))) == len(records)
    lost = sum(r["payload"]["data"]["count"] for r in records if is_gap(r))
    assert lost == bench.outbox.dropped > 0
    assert len([r for r in records if not is_gap(r)]) + lost == 120
    assert bench.outbox.rows == 0
    bench.close()


def test_nobody_listening_loses_nothing_that_is_in_memory(path: Path) -> None:
    bench = Bench(path)
    with _files_end_at(1_000):
        for _ in range(4):
            bench.put("a")
            bench.commit()
        bench.take()
        bench.settle(Fate.UNHEARD)
        bench.pass_by(120)
        records = bench.take()
        bench.settle()
        assert len(records) == 3
    bench.pass_by(60)
    _whole(records + bench.drain(), "a", 4)
    bench.close()


def test_a_disk_that_is_full_and_has_room_again(tiny: Path) -> None:
    path = tiny / "outbox.db"
    bench = Bench(path)
    filler = tiny / "filler"
    bench.put("a")
    bench.commit()
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    records = bench.take()
    for _ in range(30):
        bench.put(*"abcdefghij", ticks=10)
        bench.commit()
        records += bench.take()
        bench.settle()
    assert _said(bench, IN_MEMORY) == 1
    filler.unlink()
    bench.pass_by(60)
    records += bench.drain()
    assert not bench.outbox.in_memory
    _whole(records, "a", 301)
    _whole(records, "j", 300)
    bench.close()


def test_a_damaged_file_on_a_full_disk_waits_for_room_and_is_salvaged_whole(tiny: Path) -> None:
    path = tiny / "outbox.db"
    bench = Bench(path)
    bench.put("a", ticks=2_000)
    bench.commit()
    bench.close()
    data = bytearray(path.read_bytes())
    data[-8_000:-4_000] = bytes(4_000)
    path.write_bytes(data)
    filler = tiny / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    bench = Bench(path)
    assert _said(bench, IN_MEMORY) == 1
    filler.unlink()
    bench.pass_by(60)
    bench.put("b")
    bench.commit()
    found = bench.drain()
    assert len(seqs(found, "a")) > 1_900
    assert len(seqs(found, "b")) == 1
    assert _said(bench, "set aside, and salvaged") == 1
    assert not list(tiny.glob("*.salvage*"))
    bench.close()


def test_a_disk_that_is_remounted_read_only_and_back(tiny: Path) -> None:
    path = tiny / "outbox.db"
    bench = Bench(path)
    bench.put("a", ticks=5)
    bench.commit()
    bench.close()
    _remount(tiny, "ro")
    # It starts all the same.
    bench = Bench(path)
    assert _said(bench, IN_MEMORY) == 1
    bench.put("a")
    bench.commit()
    records = bench.take()
    bench.settle()
    assert len(records) == 1
    _remount(tiny, "rw")
    bench.pass_by(60)
    bench.commit()
    records += bench.drain()
    assert not bench.outbox.in_memory
    assert sorted(seqs(records)) == [1, 1, 2, 3, 4, 5]
    assert len(set(names(records))) == 6
    bench.close()


def _remount(disk: Path, mode: str) -> None:
    # Busy while a file is open for writing, as it is in a running agent; a kernel does it all the
    # same when the card fails.
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)


def test_a_folder_that_cannot_be_had_is_waited_for(tmp_path: Path) -> None:
    obstacle = tmp_path / "data"
    obstacle.write_text("not a folder")
    bench = Bench(obstacle / "outbox.db")
    bench.put("a")
    bench.commit()
    records = bench.take()
    assert len(records) == 1
    bench.put("a")
    obstacle.unlink()
    bench.settle()
    bench.pass_by(60)
    bench.commit()
    bench.pass_by(60)
    records += bench.drain()
    _whole(records, "a", 2)
    assert not bench.outbox.in_memory
    assert bench.outbox.mark.epoch
    bench.close()


def test_a_commit_that_takes_for_ever_stops_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(path)
    let_go = threading.Event()
    begun = threading.Event()
    store = bench.outbox._storage._opened.store  # type: ignore[union-attr]  # noqa: SLF001
    apply: Callable[[Any], None] = store.apply

    def slow(batch: Any) -> None:
        begun.set()
        assert let_go.wait(20)
        apply(batch)

    monkeypatch.setattr(store, "apply", slow)
    bench.put("a")
    bench.pass_by(1)
    bench.outbox.turn(bench.monotonic)
    assert begun.wait(20)
    bench.pass_by(STALL + 1)
    bench.outbox.turn(bench.monotonic)
    assert _said(bench, IN_MEMORY) == 1
    bench.put("a")
    records = bench.take()
    assert len(records) == 1
    let_go.set()
    bench.commit()
    bench.settle()
    records += bench.drain()
    _whole(records, "a", 2)
    assert not bench.outbox.in_memory
    bench.close()
    assert path.stat().st_size > 0
