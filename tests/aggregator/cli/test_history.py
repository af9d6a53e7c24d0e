from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from aggregator.cli.commands import group
from aggregator.cli.history import query
from aggregator.errors import HistoryError
from aggregator.sinks.files import HistorySink
from tests.aggregator.support.golden import END, EVENT_WINDOW, snapshot

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400_000_000_000


def answer(folder: Path, sql: str) -> list[Any]:
    with query(folder, sql) as found:
        return found.fetchall()


def test_each_day_has_a_file_and_all_are_one_table(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    for day in range(2):
        sink.emit(replace(snapshot(since_start=True), batch_id=day, end=END + day * DAY))
    sink.emit(snapshot(idle=True))
    # Read while the sink has its file open, as a person would beside a job that runs.
    days = {file.name for file in tmp_path.iterdir() if file.stat().st_size}
    assert days == {"2016-11-21.jsonl", "2016-11-22.jsonl"}
    found = answer(tmp_path, "SELECT batch_id, scope, messages, sensors FROM total ORDER BY ALL")
    assert found == [
        (0, "since_start", 20000, 2090),
        (0, "window", 10000, 2086),
        (1, "since_start", 20000, 2090),
        (1, "window", 10000, 2086),
    ]
    hottest = "SELECT state, max(degrees) FROM temperature WHERE scope = 'window' GROUP BY ALL"
    assert dict(answer(tmp_path, hottest))["FL"] == 70.70635838150288
    assert answer(tmp_path, "SELECT count(*) FROM snapshot") == [(3,)]
    audit = "SELECT (audit->>'unsynced')::INT, rejected['not_json'] FROM snapshot WHERE NOT idle"
    assert answer(tmp_path, audit) == [(3, 2)] * 2
    sink.close()


def test_where_the_event_window_was_can_be_asked_for(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    sink.emit(snapshot(event=EVENT_WINDOW))
    sink.emit(replace(snapshot(), batch_id=8))
    sink.close()
    sql = "SELECT epoch(event_window.end - event_window.start), event_window.too_late FROM snapshot"
    assert answer(tmp_path, f"{sql} ORDER BY batch_id") == [(300.0, 1234), (None, None)]
    messages = "SELECT messages FROM total WHERE scope = 'event'"
    assert answer(tmp_path, messages) == [(15000,)]


def test_a_batch_that_came_twice_is_there_once_and_a_cut_line_harms_nobody(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    for _ in range(2):
        sink.emit(snapshot())
    sink.close()
    with (tmp_path / "2016-11-21.jsonl").open("a") as file:
        file.write('{"schema":"isotherm.snap')
    assert answer(tmp_path, "SELECT batch_id FROM snapshot") == [(7,)]


def test_what_is_wrong_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="holds no snapshots"):
        answer(tmp_path, "SELECT 1")
    HistorySink(tmp_path).emit(snapshot())
    with pytest.raises(HistoryError, match="nothing"):
        answer(tmp_path, "SELECT * FROM nothing")


def test_the_command_shows_the_last_totals(tmp_path: Path) -> None:
    HistorySink(tmp_path).emit(snapshot())
    done = CliRunner().invoke(group, ["history", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "10000" in done.output


def test_lines_that_are_not_ours_keep_nothing_from_the_others(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    sink.emit(snapshot())
    sink.close()
    (file,) = (file for file in tmp_path.iterdir() if file.stat().st_size)
    ours = file.read_bytes()
    hostile = [
        b"[" * 100_000,
        b'{"query_id":' + b'{"a":' * 50_000,
        ours.replace(b'"total_messages":10000', b'"total_messages":1' + b"0" * 5_000)
        .replace(b"70.70635838150288", b"1e400")
        .strip(),
        ours.replace(b'"batch_id":7', b'"batch_id":1e400').strip(),
        ours.replace(b'"batch_id":7', b'"batch_id":8')
        .replace(b'"query_id":"', b'"query_id":"\\ud800')
        .strip(),
        b"\xff\xfe",
        b'{"scopes": 7, "query_id": "x"}',
        b'{"scopes": {"window": 7}, "query_id": "x", "batch_id": 1}',
        b'{"scopes": {"window": {"average_temperature_by_state": 7}}, "query_id": "x"}',
    ]
    file.write_bytes(b"\n".join([*hostile, ours]))
    assert (10_000,) in answer(tmp_path, "SELECT messages FROM total")
    hottest = "SELECT max(degrees) FROM temperature WHERE isfinite(degrees) AND state = 'FL'"
    assert answer(tmp_path, hottest) == [(70.70635838150288,)]
    assert CliRunner().invoke(group, ["history", str(tmp_path)]).exit_code == 0
