"""An outbox whose file or folder is removed, moved, cut or replaced under the running agent."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.mqtt.message import Fate
from edge_agent.outbox.inspect import Inspection
from edge_agent.outbox.storage.database import Batch, Database
from edge_agent.outbox.storage.row_counts import RowCounts
from tests.edge_agent.support.outbox_bench import Bench, is_gap, names, unable_to_apply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TAKEN = "the outbox was taken away under the agent"
KEPT = "no reading was lost"
LOST = "readings were lost with the outbox's file"
SET_ASIDE = "what stood in the outbox's place is set aside"
BACK = "on disk again"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


def _said(bench: Bench, what: str) -> int:
    return sum(what in line for line in bench.lines)


def _one_epoch(records: list[dict[str, Any]], guid: str, count: int) -> None:
    """Each of so many readings came once, in one sequence without a hole."""
    found = [name for name in names(records) if name[0] == guid]
    assert len({epoch for _, epoch, _ in found}) == 1
    assert sorted(seq for *_, seq in found) == list(range(1, count + 1))


def _remove_file(path: Path) -> None:
    path.unlink()


def _remove_all(path: Path) -> None:
    for side in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + side).unlink()


def _remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def _rename_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def _remove_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def _remove_index(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"what is this?")
    other.replace(path)


def _put_backup_back(path: Path) -> None:
    """As a program does that writes a new file and renames it."""
    backup = path.with_name("backup")
    with contextlib.closing(sqlite3.connect(path)) as now, sqlite3.connect(backup) as copy:
        now.backup(copy)
    copy.close()
    backup.replace(path)


@pytest.mark.parametrize(
    "take",
    (
        _remove_file,
        _remove_all,
        _remove_folder,
        _rename_folder,
        _remove_log,
        _remove_index,
        _replace,
        _put_backup_back,
    ),
    ids=lambda take: take.__name__.strip("_"),
)
def test_what_was_in_it_is_taken_over_and_no_name_is_given_twice(
    path: Path, take: Callable[[Path], None]
) -> None:
    bench = Bench(path)
    bench.put("a", "b", ticks=600)
    bench.commit()
    take(path)
    bench.put("a", "b")
    bench.commit()
    bench.commit()
    assert (_said(bench, TAKEN), _said(bench, KEPT), _said(bench, BACK)) == (1, 1, 1)
    assert not bench.outbox.in_memory
    assert bench.outbox.rows == 1_202
    bench.put("a", "b")
    bench.commit()
    # It is on disk, under its old names, and counted right: the next start finds it.
    bench.kill()
    with Inspection(path) as lookup:
        assert lookup.saved.rows == 1_204
        assert list(lookup.faults()) == []
    again = Bench(path)
    again.put("a", "b")
    records = again.drain()
    for guid in "ab":
        _one_epoch(records, guid, 603)
    assert again.outbox.rows == 0
    again.close()


def test_what_was_sent_before_is_not_sent_again(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=5)
    bench.commit()
    records = bench.take()
    path.unlink()
    # The PUBACKs come after the file has gone, and before that is noticed.
    bench.settle()
    bench.put("a")
    bench.commit()
    records += bench.drain()
    _one_epoch(records, "a", 6)
    assert _said(bench, LOST) == 0
    assert bench.outbox.rows == 0
    bench.close()
    with Inspection(path) as lookup:
        assert lookup.saved.rows == 0


def test_what_is_on_its_way_meanwhile_is_neither_lost_nor_doubled(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=5)
    bench.commit()
    records = bench.take()
    path.unlink()
    bench.put("a")
    bench.commit()
    bench.settle()
    records += bench.drain()
    _one_epoch(records, "a", 6)
    assert bench.outbox.rows == 0
    bench.close()


def test_what_stood_in_its_place_is_kept_and_named(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    bench.commit()
    _replace(path)
    bench.put("a")
    bench.commit()
    bench.commit()
    (aside,) = path.parent.glob("outbox.db.found-*Z")
    assert aside.read_bytes() == b"what is this?"
    assert _said(bench, f"{SET_ASIDE} file={aside}") == 1
    _one_epoch(bench.drain(), "a", 2)
    bench.close()


def test_a_file_that_was_cut_costs_what_cannot_be_read_and_that_is_declared(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", "b", ticks=2_000)
    bench.commit()
    store = bench.outbox._storage._opened.store  # type: ignore[union-attr]  # noqa: SLF001 what is cut
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001 all of it into the file
    store._reader.execute("PRAGMA cache_size=0")  # noqa: SLF001 nothing of it in memory
    bench.put("a", "b")
    bench.commit()
    os.truncate(path, path.stat().st_size // 4)
    bench.put("a", "b")
    bench.commit()
    bench.commit()
    assert (_said(bench, TAKEN) or _said(bench, "was damaged")) == 1
    bench.put("a", "b")
    records = bench.drain()
    gaps = [record["payload"]["data"] for record in records if is_gap(record)]
    came = names([record for record in records if not is_gap(record)])
    assert len(set(came)) == len(came)
    assert gaps
    assert {gap["reason"] for gap in gaps} == {"file_lost"}
    assert len(came) + sum(gap["count"] for gap in gaps) == 4_006
    assert all(gap["first"] >= 1 and gap["last"] <= 2_001 for gap in gaps)
    assert bench.outbox.dropped == sum(gap["count"] for gap in gaps)
    assert _said(bench, LOST) == 1
    assert bench.outbox.rows == 0
    bench.close()


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Path]:
    """A mount of its own."""
    disk = tmp_path / "stick"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount")
    yield disk
    while os.path.ismount(disk):
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_is_unmounted_or_covered_by_another_costs_nothing(stick: Path) -> None:
    path = stick / "outbox.db"
    bench = Bench(path)
    bench.put("a", ticks=50)
    bench.commit()
    subprocess.run(["umount", "--lazy", str(stick)], check=True)
    bench.put("a")
    bench.commit()
    bench.commit()
    assert (_said(bench, TAKEN), _said(bench, KEPT)) == (1, 1)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(stick)], check=True)
    bench.put("a")
    bench.commit()
    bench.commit()
    assert (_said(bench, TAKEN), _said(bench, KEPT)) == (2, 2)
    assert path.exists()
    _one_epoch(bench.drain(), "a", 52)
    bench.close()


def test_a_folder_that_cannot_be_made_anew_is_waited_for_in_memory(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=3)
    bench.commit()
    shutil.rmtree(path.parent)
    path.parent.write_text("no folder", encoding="ascii")
    for _ in range(3):
        bench.put("a")
        bench.commit()
    assert bench.outbox.in_memory
    assert bench.outbox.lost_at_end == 6
    assert _said(bench, TAKEN) == 1
    assert _said(bench, "cannot be opened anew yet") == 1
    path.parent.unlink()
    bench.pass_by(60)
    bench.commit()
    bench.put("a")
    records = bench.drain()
    assert len(set(names(records))) == len(records) == 7
    assert (_said(bench, BACK), bench.outbox.in_memory, bench.outbox.rows) == (1, False, 0)
    bench.close()


def test_a_lock_that_was_removed_stands_again_before_a_second_agent_comes(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    bench.commit()
    lock = path.with_name("outbox.db.lock")
    lock.unlink()
    bench.put("a")
    bench.commit()
    bench.commit()
    assert lock.exists()
    with Inspection(path) as lookup:
        assert lookup.in_use
    _one_epoch(bench.drain(), "a", 2)
    bench.close()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_none_but_its_owner_may_read_it_nor_what_is_set_aside(path: Path) -> None:
    before = os.umask(0)
    try:
        bench = Bench(path)
        bench.put("a")
        bench.commit()
        assert _mode(path.parent) == 0o700
        assert {_mode(file) for file in path.parent.iterdir()} == {0o600}
        assert len(list(path.parent.iterdir())) == 4
        bench.close()
        path.chmod(0o644)
        bench = Bench(path)
        assert _mode(path) == 0o640
        bench.close()
        path.write_bytes(b"damaged" * 1_000)
        path.chmod(0o644)
        bench = Bench(path)
        bench.put("a")
        bench.commit()
        assert not [file for file in path.parent.iterdir() if _mode(file) & 0o007]
        bench.close()
    finally:
        os.umask(before)


def test_a_link_in_the_place_of_the_salvaged_file_is_not_followed(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    bench.close()
    path.write_bytes(b"damaged" * 1_000)
    victim = path.parent.parent / "victim"
    victim.write_text("mine", encoding="ascii")
    path.with_name("outbox.db.salvage").symlink_to(victim)
    bench = Bench(path)
    bench.put("a")
    bench.commit()
    bench.close()
    assert victim.read_text(encoding="ascii") == "mine"
    assert not path.is_symlink()


def test_rows_of_an_earlier_life_are_counted_little_by_little_while_some_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(path)
    bench.put("a", "b", ticks=10)
    bench.commit()
    bench.close()
    monkeypatch.setattr("edge_agent.outbox.storage.database.COUNT_ROWS", 3)
    store = Database(path)
    saved = store.load()
    rows, _ = store.read(saved.first_id, saved.last_id, 100)
    (low, *_, high) = [entry.id for entry in rows]
    new = rows[0]._replace(id=high + 1, seq=11)
    assert store.held.rows == 0
    store.apply(Batch(entries={new.id: new}, gone=[low, low + 7, high]))
    assert store.held.rows == 1
    assert store.count_on()
    # One that is counted, one that is not, one that is written anew, and the new one.
    again = rows[2]
    store.apply(Batch(entries={again.id: again}, gone=[low + 1, low + 12, new.id]))
    while store.count_on():
        pass
    (left,) = store._reader.execute("SELECT count(*) FROM entry").fetchone()  # noqa: SLF001 the file's own word
    assert store.held.rows == left == 15
    lost = store.held.lost(RowCounts(), [])
    assert {key: span.rows for key, span in lost.items()} == Counter(
        (entry.guid, entry.epoch) for entry in store.read(low, high + 1, 100)[0]
    )
    store.close()


def test_a_filesystem_that_numbers_its_files_anew_is_no_other_file(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    bench.commit()
    for _ in range(3):
        for side in ("", "-wal", "-shm"):
            file = path.with_name(path.name + side)
            # The same in all that can be seen, under another number.
            shutil.copy2(file, path.with_name("copy"))
            path.with_name("copy").replace(file)
        assert bench.outbox._storage._in_place()  # noqa: SLF001 what is asked with each commit
    _put_backup_back(path)
    assert not bench.outbox._storage._in_place()  # noqa: SLF001 the same
    bench.close()


def test_a_new_file_that_takes_nothing_yet_is_kept_for_the_next_try(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=50)
    bench.commit()
    _remove_all(path)
    bench.put("a")
    with unable_to_apply():
        for _ in range(4):
            bench.commit()
            bench.pass_by(60)
    assert bench.outbox.in_memory
    bench.commit()
    assert (_said(bench, TAKEN), _said(bench, KEPT), _said(bench, BACK)) == (1, 1, 1)
    # Each file set aside would be a whole outbox, on a disk that may be full for that.
    assert list(path.parent.glob("outbox.db.found-*")) == []
    assert _said(bench, SET_ASIDE) == 0
    _one_epoch(bench.drain(), "a", 51)
    assert bench.outbox.rows == 0
    bench.close()


def test_what_a_damaged_file_cost_is_declared_also_where_the_first_commit_fails(
    path: Path,
) -> None:
    bench = Bench(path)
    bench.put("a", ticks=8_000)
    bench.commit()
    assert bench.outbox.rows == 8_000
    keeper = bench.outbox._storage  # noqa: SLF001 what is damaged
    store = keeper._opened.store  # type: ignore[union-attr]  # noqa: SLF001 the same
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001 all of it into the file
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 65_536] = bytes(65_536)
    with path.open("r+b") as file:
        file.write(data)
    with unable_to_apply("SQLITE_CORRUPT"):
        bench.put("a")
        bench.commit()
    bench.pass_by(60)
    with unable_to_apply():
        bench.commit()
    bench.pass_by(60)
    bench.commit()
    assert (_said(bench, "was damaged"), _said(bench, LOST), _said(bench, BACK)) == (1, 1, 1)
    bench.put("a")
    records = bench.drain()
    gaps = [record["payload"]["data"] for record in records if is_gap(record)]
    came = [record for record in records if not is_gap(record)]
    assert len(came) + sum(gap["count"] for gap in gaps) == 8_002
    bench.close()


@pytest.mark.parametrize(
    ("fate", "earlier"),
    (
        (Fate.DELIVERED, False),
        (Fate.UNHEARD, False),
        (Fate.REFUSED, False),
        # Of what an earlier life wrote nothing is known one by one: it is declared at once.
        (Fate.UNHEARD, True),
    ),
)
def test_what_was_on_its_way_when_its_row_was_lost_is_counted_or_declared(
    path: Path, fate: Fate, *, earlier: bool
) -> None:
    bench = Bench(path)
    bench.put("a", ticks=3_000)
    bench.commit()
    if earlier:
        bench.kill()
        bench = Bench(path)
    store = bench.outbox._storage._opened.store  # type: ignore[union-attr]  # noqa: SLF001 what is cut
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001 all of it into the file
    store._reader.execute("PRAGMA cache_size=0")  # noqa: SLF001 nothing of it in memory
    bench.put("a")
    bench.commit()
    under_way = bench.take()
    os.truncate(path, 4096)
    bench.put("a")
    bench.commit()
    bench.commit()
    assert bench.outbox.rows >= len(under_way)
    assert _said(bench, BACK) == 1
    bench.settle(fate)
    records = under_way if fate is Fate.DELIVERED else []
    for _ in range(2):
        bench.put("a")
        records += bench.drain()
    came = names([record for record in records if not is_gap(record)])
    gaps = [record["payload"]["data"] for record in records if is_gap(record)]
    assert len(set(came)) == len(came)
    assert len(came) + sum(gap["count"] for gap in gaps) == 3_004
    assert bench.outbox.rows == 0
    bench.close()
