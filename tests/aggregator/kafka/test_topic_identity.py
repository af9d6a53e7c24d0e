import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from aggregator.errors import DataLossError
from aggregator.kafka.availability import Extent
from aggregator.kafka.topic_identity import Standing, require_all
from isotherm.log import Log, start_logging


def extent(topic_id: str = "a", *, first: int = 0, end: int = 100) -> Extent:
    return Extent(topic_id=topic_id, first={0: first, 1: 0}, end={0: end, 1: 100})


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(said: io.StringIO) -> Log:
    return start_logging("aggregator", stream=said)


def check(
    folder: Path | None, found: Extent | None, position: Mapping[int, int], log: Log, **flags: bool
) -> None:
    Standing(
        lambda: found,
        topic="t",
        folder=folder,
        accept_loss=flags.get("accept_loss", False),
        log=log,
    ).check(position)


def test_more_records_and_more_partitions_are_no_loss() -> None:
    assert require_all("t", extent(), known="a", position={0: 100}) == {}
    assert require_all("t", extent(), known=None, position={}) == {}


@pytest.mark.parametrize("position", ({0: 101}, {0: 50, 2: 0}))
def test_a_topic_that_is_shorter_than_what_was_counted_is_another_one(
    position: dict[int, int],
) -> None:
    with pytest.raises(DataLossError, match="made anew"):
        require_all("t", extent(), known=None, position=position)


def test_a_topic_that_was_made_anew_is_told_however_much_is_in_it(tmp_path: Path, log: Log) -> None:
    check(tmp_path / "ck", extent("a"), {}, log)
    check(tmp_path / "ck", extent("a", end=200), {0: 100}, log)
    with pytest.raises(DataLossError, match=r"made anew.*new --checkpoint"):
        check(tmp_path / "ck", extent("b", end=1000), {0: 100}, log)


def test_it_is_told_within_one_life_without_a_folder_too(log: Log) -> None:
    found = iter((extent("a"), None, extent("b")))
    standing = Standing(lambda: next(found), topic="t", folder=None, accept_loss=False, log=log)
    standing.check({})
    standing.check({})
    with pytest.raises(DataLossError, match="made anew"):
        standing.check({})


def test_what_retention_deleted_is_named_and_a_choice_given(tmp_path: Path, log: Log) -> None:
    with pytest.raises(DataLossError, match=r"30 offsets \(30 of partition 0\)\. --accept-loss"):
        check(tmp_path, extent(first=50), {0: 20, 1: 5}, log)


def test_a_loss_that_is_accepted_is_said(tmp_path: Path, log: Log, said: io.StringIO) -> None:
    check(tmp_path, extent(first=50), {0: 20, 1: 5}, log, accept_loss=True)
    assert "going on without what is gone offsets=30" in said.getvalue()


def test_a_note_that_cannot_be_read_is_written_anew(tmp_path: Path, log: Log) -> None:
    (tmp_path / "isotherm.json").write_text("{")
    check(tmp_path, extent("a"), {}, log)
    with pytest.raises(DataLossError, match="made anew"):
        check(tmp_path, extent("b"), {}, log)
