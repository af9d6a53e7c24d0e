from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.errors import CheckpointError
from aggregator.kafka.checkpoint import Checkpoint, read_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "metadata").write_text('{"id": "q"}')
    for name in ("offsets", "commits"):
        (tmp_path / name).mkdir()
    for batch in (2, 9, 10):
        (tmp_path / "offsets" / str(batch)).write_text('v1\n{"conf": {}}\n{"readings":{"0":48}}')
        (tmp_path / "offsets" / f".{batch}.crc").write_bytes(b"crc")
    for batch in (2, 9):
        (tmp_path / "commits" / str(batch)).write_text("v1\n{}")
    return tmp_path


def test_a_folder_that_is_not_there_is_a_new_checkpoint(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "none") == Checkpoint()


def test_the_last_batch_and_the_topic_are_read(folder: Path) -> None:
    assert read_checkpoint(folder) == Checkpoint(
        query_id="q", committed=9, begun=10, topic="readings", position={0: 48}
    )


def test_it_says_where_counting_began_and_where_it_goes_on(folder: Path) -> None:
    (folder / "offsets" / "9").write_text('v1\n{}\n{"readings":{"0":40,"1":7}}')
    (folder / "sources" / "0").mkdir(parents=True)
    (folder / "sources" / "0" / "0").write_text('\0v1\n{"readings":{"0":5}}')
    found = read_checkpoint(folder)
    assert found.start == {0: 5}
    assert found.position == {0: 40, 1: 7}
    for commit in (folder / "commits").iterdir():
        commit.unlink()
    assert read_checkpoint(folder).position == {0: 5}


def test_a_query_without_a_batch_has_no_topic_yet(tmp_path: Path) -> None:
    (tmp_path / "metadata").write_text('{"id": "q"}')
    found = read_checkpoint(tmp_path)
    assert found == Checkpoint(query_id="q")
    found.require_topic("any")


def test_another_topic_is_a_usage_error_that_names_both(folder: Path) -> None:
    found = read_checkpoint(folder)
    found.require_topic("readings")
    with pytest.raises(CheckpointError, match="of topic readings, and --topic is other") as raised:
        found.require_topic("other")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("text", ("", "[]", "{}", "\xff"))
def test_metadata_that_is_not_spark_s_is_named(folder: Path, text: str) -> None:
    (folder / "metadata").write_text(text)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(folder)


@pytest.mark.parametrize("text", ("", "v1\n{}\n{broken"))
def test_offsets_that_were_cut_off_do_not_crash(folder: Path, text: str) -> None:
    (folder / "offsets" / "10").write_text(text)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(folder)
