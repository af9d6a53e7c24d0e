"""The registry of sinks, and the factory that makes what the settings ask for."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.errors import SinkError
from aggregator.settings import PREFIX, AggregatorSettings
from aggregator.sinks.base import SinkContext
from aggregator.sinks.best_effort import BestEffortSink
from aggregator.sinks.factory import files, holds_files, kinds, make_sinks, topics
from isotherm.kafka.access import KafkaAccess
from isotherm.log import Log
from isotherm.settings.table import load, rows
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from aggregator.sinks.base import Sink


def settings(**flags: Any) -> Mapping[str, Any]:
    given = {"kafka": "127.0.0.1:9092", "checkpoint": "ck", **flags}
    return load(AggregatorSettings, PREFIX, flags=given).sinks


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def made(stack: ExitStack, tmp_path: Path, **flags: Any) -> list[Sink]:
    log = Log("test")
    stdout = stack.enter_context((tmp_path / "stdout").open("w", encoding="utf-8"))
    context = SinkContext(access=KafkaAccess(brokers="127.0.0.1:9092"), stdout=stdout, log=log)
    return make_sinks(settings(**flags), context, stack, Tasks(log))


def test_each_kind_has_a_name_of_its_own_and_rows_of_the_jobs_settings() -> None:
    table = rows(AggregatorSettings)
    assert len({kind.name for kind in kinds()}) == len(kinds())
    for kind in kinds():
        assert rows(kind.settings)
        assert set(rows(kind.settings)) <= set(table)
    for column in ("name", "key", "flag"):
        values = [getattr(row, column) for row in table if getattr(row, column) is not None]
        assert len(set(values)) == len(values)


def test_no_kind_makes_anything_unless_it_is_asked_for(stack: ExitStack, tmp_path: Path) -> None:
    asked = settings(console="off")
    assert made(stack, tmp_path, console="off") == []
    assert [*files(asked), *topics(asked)] == []
    assert not holds_files(asked)


def test_what_is_asked_for_is_made_the_durable_first(stack: ExitStack, tmp_path: Path) -> None:
    flags = {"latest": str(tmp_path / "l"), "snapshots": str(tmp_path / "s"), "analytics": "t"}
    sinks = made(stack, tmp_path, **flags)
    assert [isinstance(sink, BestEffortSink) for sink in sinks] == [False, True, True, True]
    names = {sink.name for sink in sinks if isinstance(sink, BestEffortSink)}
    assert names == {"latest", "console", "kafka"}


def test_what_the_kinds_write_is_known_without_making_them(tmp_path: Path) -> None:
    asked = settings(latest="l", history=str(tmp_path), analytics="t")
    assert {flag: folder for flag, _path, folder in files(asked)} == {
        "--latest": False,
        "--history": True,
    }
    assert [topic for topic, _fix in topics(asked)] == ["t"]
    assert holds_files(asked)
    assert not holds_files(settings(latest="l"))


def test_a_durable_one_that_cannot_be_written_ends_the_job(
    stack: ExitStack, tmp_path: Path
) -> None:
    with pytest.raises(SinkError, match="--snapshots"):
        made(stack, tmp_path, snapshots=str(tmp_path))
