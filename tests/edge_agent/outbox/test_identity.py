"""No two readings ever get the same (guid, epoch, seq), whatever happens to the file."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox.entry import Lost
from edge_agent.outbox.identity import MOST_LIVES, Stamper, board_identity, is_ours
from edge_agent.sampling.sample import Sample
from isotherm.mqtt.status import Mark
from tests.edge_agent.support.outbox_bench import Bench, names

if TYPE_CHECKING:
    from pathlib import Path


OWN = Mark("e" * 16, 50, "1" * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.mark.parametrize(
    ("seen", "whose"),
    (
        (Mark("f" * 16, 999, "9" * 16), "ours"),
        (Mark("e" * 16, 45, "1" * 16), "ours"),
        (Mark("e" * 16, 41, "0" * 16), "ours"),
        (Mark("e" * 16, 42, "0" * 16), "theirs"),
        (Mark("e" * 16, 41, "9" * 16), "theirs"),
    ),
)
def test_an_epoch_is_ours_unless_an_unknown_life_or_more_than_we_know_was_seen(
    seen: Mark, whose: str
) -> None:
    found = is_ours(seen, OWN, ("0" * 16, "1" * 16), opened_at=40)
    assert found is (whose == "ours")


def _copy(path: Path, to: Path) -> Path:
    for side in ("", "-wal"):
        if (source := path.with_name(path.name + side)).exists():
            shutil.copy(source, to.with_name(to.name + side))
    return to


def _unique(*groups: list[tuple[str, str, int, str]]) -> None:
    """A name stands for one reading only: the same time and value."""
    known: dict[tuple[str, str, int], str] = {}
    for group in groups:
        for guid, epoch, seq, what in group:
            assert known.setdefault((guid, epoch, seq), what) == what


def _facts(records: list[dict[str, object]]) -> list[tuple[str, str, int, str]]:
    return [
        (*name, str(record["eventTime"]))
        for name, record in zip(names(records), records, strict=True)
    ]


def test_a_card_that_is_copied_to_another_board_begins_a_new_epoch(path: Path) -> None:
    bench = Bench(path)
    bench.put("a", ticks=5)
    bench.commit()
    bench.close()
    twin = Bench(_copy(path, path.with_name("twin.db")), board="board-2")
    assert any("another board's: a new epoch begins" in line for line in twin.lines)
    original = Bench(path)
    twin.pass_by(1)
    original.put("a", ticks=5)
    twin.put("a", ticks=5)
    theirs, ours = _facts(twin.drain()), _facts(original.drain())
    # Both sent the five that waited when the card was copied, under the same names.
    assert len(set(ours) & set(theirs)) == 5
    _unique(ours, theirs)
    assert twin.close().epoch != original.close().epoch


def test_a_twin_that_cannot_be_told_by_its_board_is_told_by_the_retained_status(path: Path) -> None:
    bench = Bench(path)
    bench.outbox.seen(None)
    bench.put("a", ticks=5)
    bench.commit()
    retained = bench.close()
    copy = _copy(path, path.with_name("twin.db"))
    original = Bench(path)
    original.outbox.seen(retained)
    original.put("a", ticks=5)
    ours = _facts(original.drain())
    retained = original.close()
    twin = Bench(copy)
    twin.pass_by(1)
    # It goes on offline for two starts, and hears only then that it is one.
    twin.put("a", ticks=3)
    twin.commit()
    twin.close()
    twin = Bench(copy)
    twin.pass_by(100)
    twin.put("a", ticks=3)
    twin.commit()
    twin.put("a")
    assert twin.outbox.mark.epoch == retained.epoch
    twin.outbox.seen(retained)
    twin.put("a")
    theirs = _facts(twin.drain())
    _unique(ours, theirs)
    assert len(theirs) == 13
    assert twin.close().epoch != retained.epoch
    assert any("moved=7" in line for line in twin.lines)


def test_a_backup_that_is_put_back_gives_no_number_twice(path: Path) -> None:
    bench = Bench(path)
    bench.outbox.seen(None)
    bench.put("a", "b", ticks=5)
    bench.commit()
    backup = _copy(path, path.with_name("backup.db"))
    bench.put("a", "b", ticks=5)
    ours = _facts(bench.drain())
    retained = bench.outbox.mark
    bench.kill()
    for file in path.parent.glob("outbox.db*"):
        file.unlink()
    _copy(backup, path)
    restored = Bench(path)
    restored.pass_by(100)
    restored.put("a", "b", ticks=5)
    restored.outbox.seen(retained)
    theirs = _facts(restored.drain())
    _unique(ours, theirs)
    assert len(theirs) == 20
    restored.close()


def test_what_is_under_way_keeps_its_name_and_a_confirmed_epoch_goes_on(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    bench.commit()
    first = bench.take()
    bench.outbox.seen(bench.outbox.mark)
    bench.settle()
    bench.put("a")
    bench.commit()
    assert names(first + bench.take()) == [("a", bench.outbox.mark.epoch, n) for n in (1, 2)]
    bench.close()


def test_many_restarts_are_remembered_as_far_as_needed(path: Path) -> None:
    marks = [Bench(path).close() for _ in range(MOST_LIVES + 3)]
    assert len({mark.epoch for mark in marks}) == 1
    bench = Bench(path)
    bench.outbox.seen(marks[-5])
    assert bench.close().epoch == marks[0].epoch


def test_a_board_is_known_by_machine_id_and_serial(tmp_path: Path) -> None:
    etc, sysfs = tmp_path / "etc", tmp_path / "sys"
    serial = sysfs / "firmware/devicetree/base/serial-number"
    etc.mkdir()
    serial.parent.mkdir(parents=True)
    found = set()
    for machine, number in (("m1\n", "s1\0"), ("m1\n", "s2\0"), ("m2\n", "s1\0")):
        (etc / "machine-id").write_text(machine)
        serial.write_text(number)
        found.add(board_identity(etc, sysfs))
        assert board_identity(etc, sysfs) in found
    assert len(found) == 3


def test_without_a_serial_the_addresses_of_real_network_cards_count(tmp_path: Path) -> None:
    def card(name: str, address: str, *, real: bool) -> None:
        folder = tmp_path / "sys/class/net" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "address").write_text(address)
        if real:
            (folder / "device").mkdir(exist_ok=True)

    def identity() -> str:
        return board_identity(tmp_path / "etc", tmp_path / "sys")

    nothing = identity()
    card("eth0", "aa", real=True)
    one = identity()
    card("docker0", "zz", real=False)
    assert identity() == one != nothing
    card("eth0", "bb", real=True)
    assert identity() != one


FORGED = ("9" * 16, "0" * 16)


def _forge(mark: Mark, life: str, proof: str = "") -> Mark:
    return Mark(mark.epoch, mark.next_id + 1_000, life, proof)


@pytest.mark.parametrize("proof", ("", "f" * 32, "\x00"))
def test_a_forged_status_costs_one_epoch_of_a_run_at_most(path: Path, proof: str) -> None:
    bench = Bench(path)
    epochs = {bench.outbox.mark.epoch}
    for _ in range(50):
        bench.put("a")
        bench.commit()
        # Whoever forges sees what the broker has, and claims just that.
        bench.outbox.seen(_forge(bench.outbox.mark, "9" * 16, proof))
        bench.commit()
        epochs.add(bench.outbox.mark.epoch)
    assert len(epochs) == 2
    assert sum("it is not believed" in line for line in bench.lines) == 1
    assert len(bench.drain()) == 50
    bench.close()


def test_a_status_that_was_seen_before_is_no_proof_for_another(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    bench.commit()
    genuine = bench.outbox.mark
    bench.outbox.seen(_forge(genuine, "9" * 16))
    bench.commit()
    epoch = bench.outbox.mark.epoch
    for life in FORGED:
        bench.outbox.seen(_forge(bench.outbox.mark, life, genuine.proof))
        bench.commit()
    assert bench.outbox.mark.epoch == epoch
    bench.close()


def test_twins_are_found_however_often_there_are_new_ones(path: Path) -> None:
    bench = Bench(path)
    epochs = [bench.outbox.mark.epoch]
    # Unbelievable ones in between change nothing.
    for number in range(3):
        bench.put("a")
        bench.commit()
        bench.outbox.seen(_forge(bench.outbox.mark, "9" * 16))
        bench.commit()
        twin = Bench(_copy(path, path.with_name(f"twin-{number}.db")))
        twin.put("a")
        twin.commit()
        bench.outbox.seen(twin.close())
        bench.commit()
        epochs.append(bench.outbox.mark.epoch)
    assert len(set(epochs)) == 4
    bench.close()


def test_a_backup_from_before_there_were_proofs_is_found(path: Path) -> None:
    bench = Bench(path)
    bench.outbox.seen(None)
    bench.put("a", ticks=5)
    bench.commit()
    bench.close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM fact WHERE name = 'key'")
    connection.commit()
    connection.close()
    backup = _copy(path, path.with_name("backup.db"))
    later = Bench(path)
    later.put("a", ticks=5)
    ours = _facts(later.drain())
    retained = later.close()
    restored = Bench(backup)
    restored.pass_by(100)
    restored.put("a", ticks=5)
    restored.outbox.seen(retained)
    _unique(ours, _facts(restored.drain()))
    restored.close()


def _sample(guid: str) -> Sample:
    return Sample(guid, "CA", 59.7, 2_000, 1_000)


def test_each_sensor_counts_from_1_or_from_what_was_saved() -> None:
    stamper = Stamper("e" * 16, {"b": 7})
    found = [
        stamper.stamp(_sample(guid), id=1, boot="", synced=True) for guid in ("a", "b", "a", "b")
    ]
    assert [(entry.guid, entry.seq) for entry in found] == [
        ("a", 1),
        ("b", 8),
        ("a", 2),
        ("b", 9),
    ]
    assert {entry.epoch for entry in found} == {"e" * 16}
    assert stamper.seqs == {"a": 2, "b": 9}


def test_a_temperature_is_as_it_comes_back_from_the_disk() -> None:
    stamper = Stamper("e" * 16)
    sample = _sample("a")._replace(temperature=-0.0)
    entry = stamper.stamp(sample, id=1, boot="", synced=True)
    assert repr(entry.temperature) == "0.0"


def test_a_gap_takes_a_place_of_its_own() -> None:
    stamper = Stamper("e" * 16)
    like = stamper.stamp(_sample("a"), id=1, boot="b", synced=False)
    gap = stamper.gap(like, Lost("f" * 16, 1, 9, 9, "thin"), id=2)
    assert (gap.id, gap.guid, gap.seq, gap.temperature) == (2, "a", 2, None)
    assert (gap.state, gap.boot) == ("CA", "b")
