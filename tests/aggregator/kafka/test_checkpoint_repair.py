"""What a power cut leaves of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.dead_letters.letter import Flood
from aggregator.errors import CheckpointError
from aggregator.kafka.checkpoint import Checkpoint, read_checkpoint, read_ranges
from aggregator.kafka.checkpoint_repair import keep, mend, torn
from isotherm.log import Log

if TYPE_CHECKING:
    from pathlib import Path

OFFSETS = 'v1\n{}\n{"readings":{"0":%d}}'
COMMIT = 'v1\n{"nextBatchWatermarkMs":0}'
TORN = ("", "\0" * 40)


def made(folder: Path, begun: int, committed: int) -> Path:
    folder.joinpath("metadata").write_text('{"id": "q"}')
    for name, last in (("offsets", begun), ("commits", committed)):
        (folder / name).mkdir()
        for batch in range(last + 1):
            text = OFFSETS % (10 * batch + 10) if name == "offsets" else COMMIT
            (folder / name / str(batch)).write_text(text)
            (folder / name / f".{batch}.crc").write_text("sum")
    return folder


def files(folder: Path) -> list[str]:
    return sorted(
        f"{name}/{file.name}"
        for name in ("offsets", "commits")
        for file in (folder / name).iterdir()
    )


@pytest.mark.parametrize("torn", TORN)
@pytest.mark.parametrize("held", (None, 1))
def test_offsets_of_a_batch_that_nobody_has_counted_are_taken_away(
    tmp_path: Path, torn: str, held: int | None
) -> None:
    folder = made(tmp_path, begun=2, committed=1)
    (folder / "offsets" / "2").write_text(torn)
    mend(folder, lambda: held, Log("test"))
    assert not {"offsets/2", "offsets/.2.crc"} & set(files(folder))
    found = read_checkpoint(folder)
    assert (found.begun, found.committed, found.position) == (1, 1, {0: 20})


@pytest.mark.parametrize("torn", TORN)
@pytest.mark.parametrize("committed", (1, 2))
def test_offsets_of_a_batch_that_the_ledger_has_are_a_sentence(
    tmp_path: Path, torn: str, committed: int
) -> None:
    folder = made(tmp_path, begun=2, committed=committed)
    (folder / "offsets" / "2").write_text(torn)
    before = files(folder)
    with pytest.raises(CheckpointError, match=r"offsets/2 is empty.*new --checkpoint"):
        mend(folder, lambda: 2, Log("test"))
    assert files(folder) == before


def test_without_a_ledger_a_committed_batch_may_come_again(tmp_path: Path) -> None:
    folder = made(tmp_path, begun=2, committed=2)
    (folder / "offsets" / "2").write_text("")
    mend(folder, lambda: None, Log("test"))
    found = read_checkpoint(folder)
    assert (found.begun, found.committed) == (1, 1)


@pytest.mark.parametrize("torn", TORN)
@pytest.mark.parametrize("held", (None, 1, 2))
def test_a_commit_of_a_batch_that_was_counted_is_written(
    tmp_path: Path, torn: str, held: int | None
) -> None:
    folder = made(tmp_path, begun=2, committed=1)
    (folder / "commits" / "1").write_text(torn)
    mend(folder, lambda: held, Log("test"))
    assert (folder / "commits" / "1").read_text() == COMMIT
    assert "commits/.1.crc" not in files(folder)
    assert read_checkpoint(folder).committed == 1


def test_a_commit_of_a_batch_that_the_ledger_lacks_is_taken_away(tmp_path: Path) -> None:
    folder = made(tmp_path, begun=2, committed=2)
    (folder / "commits" / "2").write_text("")
    mend(folder, lambda: 1, Log("test"))
    found = read_checkpoint(folder)
    assert (found.begun, found.committed) == (2, 1)


def test_a_commit_of_which_nobody_knows_is_a_sentence(tmp_path: Path) -> None:
    folder = made(tmp_path, begun=3, committed=2)
    (folder / "commits" / "2").write_text("")
    assert torn(folder) == folder / "commits" / "2"
    with pytest.raises(CheckpointError, match="commits/2 is empty"):
        mend(folder, lambda: 1, Log("test"))


def test_metadata_of_a_query_that_had_not_begun_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "metadata").write_text("")
    mend(tmp_path, lambda: None, Log("test"))
    assert read_checkpoint(tmp_path) == Checkpoint()


def test_what_is_well_is_left_alone(tmp_path: Path) -> None:
    folder = made(tmp_path, begun=2, committed=1)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    mend(folder, lambda: pytest.fail("nobody has to know"), Log("test"))
    mend(tmp_path / "none", lambda: pytest.fail("nor here"), Log("test"))
    assert torn(folder) is None
    assert before == {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("gone", ("offsets/1", "metadata"))
def test_what_is_missing_below_a_commit_is_no_new_checkpoint(tmp_path: Path, gone: str) -> None:
    folder = made(tmp_path, begun=1, committed=1)
    (folder / gone).unlink()
    with pytest.raises(CheckpointError, match=rf"{gone} is missing: .*new --checkpoint"):
        read_checkpoint(folder)


@pytest.mark.parametrize("text", ("[" * 100_000, '{"id": 1' + "0" * 5_000 + "}", "7"))
def test_metadata_that_is_hostile_is_a_sentence(tmp_path: Path, text: str) -> None:
    folder = made(tmp_path, begun=1, committed=1)
    (folder / "metadata").write_text(text)
    with pytest.raises(CheckpointError, match="cannot be read") as raised:
        read_checkpoint(folder)
    assert len(str(raised.value)) < 600


def test_the_records_of_a_batch_are_those_between_two_offsets(tmp_path: Path) -> None:
    folder = made(tmp_path, begun=2, committed=1)
    (folder / "offsets" / "2").write_text('v1\n{}\n{"readings":{"0":25,"1":4,"2":0}}')
    assert read_ranges(folder, 2) == [Flood(0, 20, 24), Flood(1, 0, 3)]
    (folder / "sources" / "0").mkdir(parents=True)
    (folder / "sources" / "0" / "0").write_text('\0v1\n{"readings":{"0":5}}')
    assert read_ranges(folder, 0) == [Flood(0, 5, 9)]
    assert read_ranges(folder, 7) is None


def test_the_disk_is_waited_for(tmp_path: Path) -> None:
    keep(made(tmp_path, begun=1, committed=0), 1)
    keep(tmp_path, 7)
