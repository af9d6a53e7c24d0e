from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dashboard.feeds.file import FileFeed
from tests.dashboard.support.fleet import append, snapshot
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dashboard.feeds.base import Source


class Kept:
    """An inbox that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.faults: list[str] = []
        self.sources: list[Source] = []

    def snapshot(self, snapshot: dict[str, Any]) -> None:
        self.batches.append(snapshot["batch_id"])

    def broken(self, where: str, why: str) -> None:
        self.faults.append(f"{where}: {why}")

    def source(self, source: Source) -> None:
        self.sources.append(source)

    def await_batches(self, *batches: int) -> None:
        await_true(lambda: self.batches == list(batches), f"batches {batches}")


@contextmanager
def following(path: Path, **keywords: int) -> Iterator[Kept]:
    kept, stop = Kept(), threading.Event()
    feed = FileFeed(path, **keywords)
    thread = threading.Thread(target=feed.run, args=(kept, stop))
    thread.start()
    try:
        yield kept
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_what_is_there_and_what_comes(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1), snapshot(2))
    with following(file) as kept:
        kept.await_batches(1, 2)
        append(file, snapshot(3))
        kept.await_batches(1, 2, 3)
    assert [source.up for source in kept.sources] == [True]


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    with following(file) as kept:
        await_true(lambda: len(kept.sources) == 1, "its word")
        assert not kept.sources[0].up
        assert kept.sources[0].why == f"{file} is not there yet"
        append(file, snapshot(1))
        kept.await_batches(1)
    assert kept.sources[-1].up


def test_half_a_line_waits_for_the_other_half(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    append(whole, snapshot(1), snapshot(2))
    text = whole.read_bytes()
    file = tmp_path / "s.jsonl"
    cut = text.index(b"\n") + 100
    file.write_bytes(text[:cut])
    with following(file) as kept:
        kept.await_batches(1)
        with file.open("ab") as out:
            out.write(text[cut:])
        kept.await_batches(1, 2)
    assert kept.faults == []


def test_lines_that_are_no_snapshots_are_told_and_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text('\n{"half\n{"schema":"isotherm.snapshot/9"}\n[]\n')
    append(file, snapshot(1))
    with following(file) as kept:
        kept.await_batches(1)
    assert len(kept.faults) == 3
    assert "line 2 since it was opened: it is not JSON" in kept.faults[0]


def test_a_file_that_is_emptied_or_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1), snapshot(2))
    with following(file) as kept:
        kept.await_batches(1, 2)
        file.write_bytes(b"")
        append(file, snapshot(3))
        kept.await_batches(1, 2, 3)
        other = tmp_path / "other"
        append(other, snapshot(4), snapshot(5), snapshot(6))
        other.replace(file)
        kept.await_batches(1, 2, 3, 4, 5, 6)
    assert all(source.up for source in kept.sources)


def test_of_a_long_file_the_end_is_read(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, *(snapshot(batch) for batch in range(50)))
    size = file.stat().st_size
    with following(file, read_back=size // 10) as kept:
        await_true(lambda: bool(kept.batches) and kept.batches[-1] == 49, "the last")
    assert kept.batches == list(range(kept.batches[0], 50))
    assert kept.batches[0] >= 45
    assert kept.faults == []


def test_what_was_written_just_before_the_file_was_replaced_is_read(tmp_path: Path) -> None:
    file, old = tmp_path / "s.jsonl", tmp_path / "s.jsonl.1"
    append(file, snapshot(1))
    with following(file) as kept:
        kept.await_batches(1)
        # Held back by the name's absence, the feed sees both at once.
        file.rename(old)
        append(old, snapshot(2))
        with old.open("a", encoding="utf-8") as out:
            out.write('{"half')
        append(tmp_path / "new", snapshot(3))
        (tmp_path / "new").rename(file)
        kept.await_batches(1, 2, 3)
    (fault,) = kept.faults
    assert "ends in half a line" in fault


def test_a_line_without_an_end_takes_no_memory_and_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1))
    with following(file) as kept:
        kept.await_batches(1)
        with file.open("ab") as out:
            for _ in range(30):
                out.write(b"x" * (1 << 20))
        await_true(lambda: len(kept.faults) == 1, "the line is said")
        with file.open("ab") as out:
            out.write(b"x\n")
        append(file, snapshot(2))
        kept.await_batches(1, 2)
    assert len(kept.faults) == 1
    assert "line 2 since it was opened: it has over" in kept.faults[0]
