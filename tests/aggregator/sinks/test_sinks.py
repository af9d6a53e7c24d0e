import io
import json
from pathlib import Path

import jsonschema
import pytest

from aggregator.errors import SinkError
from aggregator.sinks.console import ConsoleSink, render
from aggregator.sinks.files import JsonLinesSink, LatestSink
from aggregator.sinks.kafka import records
from tests.aggregator.analytics.test_snapshot import SCHEMA
from tests.aggregator.support.golden import EVENT_WINDOW, snapshot


def test_the_console_gets_the_rendered_text() -> None:
    stream = io.StringIO()
    ConsoleSink(stream).emit(snapshot())
    assert stream.getvalue() == render(snapshot())


def test_each_snapshot_is_a_line_that_can_be_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "s.jsonl"
    sink = JsonLinesSink(path)
    for count in (1, 2):
        sink.emit(snapshot())
        assert len(path.read_text().splitlines()) == count
    sink.close()


def test_a_second_job_appends_after_ending_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"schema":"isotherm.snap')
    sink = JsonLinesSink(path)
    sink.emit(snapshot())
    sink.close()
    _, line = path.read_text().splitlines()
    assert json.loads(line)["batch_id"] == 7


def test_after_a_hangup_the_next_line_goes_into_the_file_with_the_name(tmp_path: Path) -> None:
    path, hangups = tmp_path / "s.jsonl", 0
    sink = JsonLinesSink(path, hangups=lambda: hangups)
    sink.emit(snapshot())
    moved = path.rename(tmp_path / "s.jsonl.1")
    sink.emit(snapshot())
    assert len(moved.read_text().splitlines()) == 2
    hangups = 1
    for _ in range(2):
        sink.emit(snapshot())
    sink.close()
    assert [len(file.read_text().splitlines()) for file in (moved, path)] == [2, 2]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"--snapshots .*cannot be written: Is a directory"):
        JsonLinesSink(tmp_path)


def test_a_full_disk_is_said_at_once() -> None:
    sink = JsonLinesSink(Path("/dev/full"))
    with pytest.raises(SinkError, match="No space left"):
        sink.emit(snapshot())
    sink.close()


def test_the_latest_is_whole_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    sink = LatestSink(path)
    sink.emit(snapshot())
    with path.open("rb") as reader:
        sink.emit(snapshot(idle=True))
        # Who has it open still reads the one that it opened.
        assert json.loads(reader.read())["idle"] is False
    assert json.loads(path.read_bytes())["idle"] is True
    assert [entry.name for entry in tmp_path.iterdir()] == ["latest.json"]


def test_in_kafka_each_scope_has_a_record_of_its_own() -> None:
    found = dict(records(snapshot(since_start=True, event=EVENT_WINDOW)))
    assert set(found) == {b"window", b"since_start", b"event"}
    for key, value in found.items():
        wire = json.loads(value)
        jsonschema.validate(wire, SCHEMA)
        assert list(wire["scopes"]) == [key.decode()]
