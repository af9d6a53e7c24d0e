"""Files that are damaged: the agent goes on, invents nothing, and gives no number twice."""

from __future__ import annotations

import random
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.edge_agent.support.outbox_bench import Bench, is_gap, names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

ROWS = 600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def _filled(path: Path) -> dict[tuple[str, str, int], str]:
    """What an agent left behind: the readings by name."""
    bench = Bench(path)
    for _ in range(ROWS // 30):
        bench.put("a", "b", "c", ticks=10)
        bench.commit()
    found = {name: r["eventTime"] for name, r in zip(*_taken(bench), strict=True)}
    bench.kill()
    assert len(found) == ROWS
    return found


def _taken(bench: Bench) -> tuple[list[tuple[str, str, int]], list[dict[str, Any]]]:
    records = bench.take()
    return names(records), records


def _goes_on(path: Path, known: dict[tuple[str, str, int], str]) -> int:
    """Start on the file; how many of the known readings were sent in the end."""
    bench = Bench(path)
    bench.pass_by(1_000)
    bench.put("a", "b", "c")
    records = bench.drain()
    salvaged = 0
    for name, record in zip(names(records), records, strict=True):
        if name in known:
            assert known[name] == record["eventTime"]
            salvaged += 1
    fresh = [name for name in names(records) if name not in known]
    # The three that were put just now, and nothing else, under names that nobody had.
    assert sorted(guid for guid, _, _ in fresh) == ["a", "b", "c"]
    bench.close()
    again = Bench(path)
    assert again.outbox.rows == 0
    again.close()
    return salvaged


@pytest.mark.parametrize("rounds", (8, pytest.param(400, marks=pytest.mark.faults)))
def test_bytes_that_are_wrong_anywhere_never_stop_it_and_never_become_a_reading(
    path: Path, rounds: int, report: Callable[[str], None]
) -> None:
    known = _filled(path)
    draw = random.Random(rounds)
    pristine = path.read_bytes()
    found = []
    for _ in range(rounds):
        for file in path.parent.glob("outbox.db*"):
            file.unlink()
        data = bytearray(pristine)
        for _ in range(draw.choice((1, 3, 40))):
            at = draw.randrange(len(data))
            data[at] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        found.append(_goes_on(path, known))
    # Most damage costs little; a few flips hit the very root of the file.
    assert sum(found) > len(found) * ROWS // 2
    report(f"{rounds} damaged files: {sum(found)} of {rounds * ROWS} rows salvaged, none invented")


def _page_of_entries(data: bytes, size: int) -> int:
    """A leaf of a table (type 0x0d) that is neither the first page nor the last."""
    pages = [n for n in range(1, len(data) // size - 1) if data[n * size] == 0x0D]
    return pages[len(pages) // 2] * size


def _middle_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = _page_of_entries(bytes(data), 4096)
    data[at : at + 4096] = bytes(range(256)) * 16
    path.write_bytes(data)


def _torn_end(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-4096] + data[-4096:-2048] + bytes(2048))


def _short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def _no_database(path: Path) -> None:
    path.write_bytes(b"this is a text\n" * 1_000)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "least"),
    ((_middle_page, ROWS - 60), (_torn_end, 1), (_short, 0), (_no_database, 0), (_empty, 0)),
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_can_be_read_is_sent_under_its_name(
    path: Path, damage: Callable[[Path], None], least: int
) -> None:
    known = _filled(path)
    damage(path)
    assert _goes_on(path, known) >= least


def test_any_page_of_entries_costs_its_own_rows_alone(path: Path) -> None:
    known = _filled(path)
    pristine = path.read_bytes()
    leaves = [at for at in range(4096, len(pristine), 4096) if pristine[at] == 0x0D]
    assert len(leaves) > 5
    for at in leaves:
        for file in path.parent.glob("outbox.db*"):
            file.unlink()
        path.write_bytes(pristine[:at] + b"\xff" * 4096 + pristine[at + 4096 :])
        assert _goes_on(path, known) >= ROWS - 60


def test_it_is_set_aside_and_told(path: Path) -> None:
    _filled(path)
    _middle_page(path)
    bench = Bench(path)
    (line,) = bench.lines
    assert "damaged: set aside, and salvaged" in line
    (aside,) = path.parent.glob("outbox.db.damaged-*Z")
    assert str(aside) in line
    assert f"salvaged={bench.outbox.rows}" in line
    bench.close()


def test_a_log_that_is_gone_is_a_store_that_was_rolled_back(path: Path) -> None:
    bench = Bench(path)
    bench.outbox.seen(None)
    bench.put("a")
    bench.commit()
    retained = bench.outbox.mark
    ours = names(bench.take())
    # The file as it is without what only the log has.
    shutil.copy(path, path.with_name("copy.db"))
    bench.kill()
    twin = Bench(path.with_name("copy.db"))
    twin.put("a")
    twin.outbox.seen(retained)
    assert not set(ours) & set(names(twin.drain()))
    twin.close()


def test_a_log_with_a_torn_end_loses_what_was_never_reported_as_written(path: Path) -> None:
    bench = Bench(path)
    sent: set[tuple[str, str, int]] = set()
    copies = []
    for number in range(6):
        bench.put("a", "b")
        bench.commit()
        sent.update(names(bench.take()))
        copy = path.with_name(f"copy{number}.db")
        shutil.copy(path, copy)
        log = path.with_name("outbox.db-wal").read_bytes()
        # A power cut while the next commit is being written: a part of it is there.
        copy.with_name(copy.name + "-wal").write_bytes(log + log[32:5_000])
        copies.append((copy, set(sent)))
    bench.kill()
    for copy, had in copies:
        survivor = Bench(copy)
        assert had <= set(names(survivor.drain()))
        survivor.close()


def test_a_file_that_is_damaged_while_it_is_used_is_salvaged_without_a_restart(path: Path) -> None:
    known = _filled(path)
    bench = Bench(path)
    # Behind its back, as a dying card does it.
    _middle_page(path)
    bench.outbox._storage._opened.store._reader.execute("PRAGMA cache_size=0")  # type: ignore[union-attr]  # noqa: SLF001
    bench.pass_by(1_000)
    bench.put("a")
    records = bench.drain()
    sent = set(names(records))
    assert len(sent & known.keys()) >= ROWS - 60
    assert bench.outbox.rows == 0
    # What was on the damaged page is declared at once, without waiting for a reading.
    lost = [record["payload"]["data"] for record in records if is_gap(record)]
    assert sum(gap["count"] for gap in lost) == ROWS - len(sent & known.keys())
    assert {gap["reason"] for gap in lost} == {"file_lost"}
    assert {gap["epoch"] for gap in lost} == {epoch for _, epoch, _ in known}
    assert len(records) == len(sent & known.keys()) + len(lost) + 1
    assert bench.outbox.rows == 0
    bench.close()


def test_what_was_lost_with_a_file_is_declared_after_a_crash_too(path: Path) -> None:
    known = _filled(path)
    bench = Bench(path)
    _middle_page(path)
    bench.outbox._storage._opened.store._reader.execute("PRAGMA cache_size=0")  # type: ignore[union-attr]  # noqa: SLF001
    bench.pass_by(1_000)
    bench.take()
    # The file is made anew, and nothing is measured any more before the power goes.
    for _ in range(5):
        bench.commit()
        bench.pass_by(60)
    assert bench.outbox.dropped
    bench.kill()
    again = Bench(path)
    records = again.drain()
    lost = [record["payload"]["data"] for record in records if is_gap(record)]
    kept = set(names(records)) & known.keys()
    assert sum(gap["count"] for gap in lost) == ROWS - len(kept) > 0
    again.close()


def test_a_row_with_a_flipped_bit_costs_itself_alone(path: Path) -> None:
    known = _filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entry SET temperature = temperature + 1 WHERE id = 300")
        connection.execute("UPDATE entry SET guid = 'z' WHERE id = 301")
    connection.close()
    assert _goes_on(path, known) == ROWS - 2


def test_a_counter_that_went_back_ends_the_epoch(path: Path) -> None:
    known = _filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE sensor SET seq = seq - 100")
    connection.close()
    assert _goes_on(path, known) == ROWS


def test_a_file_of_a_later_version_is_set_aside_and_salvaged(path: Path) -> None:
    known = _filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert _goes_on(path, known) == ROWS
