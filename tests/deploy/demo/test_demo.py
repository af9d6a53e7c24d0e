"""The parts of the demo that need no service."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.dead_letters import reason
from deploy.demo.input_file import InputError, count_lines
from deploy.demo.output import analytics_text, rejected_text
from deploy.demo.report import Report
from deploy.demo.run_file import Account, lines_sent
from deploy.demo.snapshots import Snapshots

if TYPE_CHECKING:
    from pathlib import Path

ANALYTICS = {
    "average_temperature_by_state": [["FL", 70.70635838150288], ["AK", 26.5]],
    "total_messages": 10000,
    "sensors_by_state": [["AK", 53], ["FL", 40]],
    "total_sensors": 2086,
}


def snapshot(total: int) -> str:
    wire: dict[str, Any] = {
        "window": {"start": "2026-11-24T13:00:00.500000Z", "end": "2026-11-24T13:00:03.000000Z"},
        "scopes": {"window": {}, "since_start": {"total_messages": total}},
        "rejected_since_start": {"not_json": 2},
        "audit_since_start": {"gaps": 1, "duplicated": 3},
    }
    return json.dumps(wire) + "\n"


@pytest.mark.parametrize(
    ("content", "lines"),
    (
        (b"a", 1),
        (b"a\nb\n", 2),
        (b"a\r\nb\r\n", 2),
        (b"\n \r\n\t\na\n\n", 1),
        (b"\xff\xfe\n" + b"x" * 1_000_000 + b"\n", 2),
        (b"one\rstill the same\n", 1),
    ),
)
def test_lines_that_are_not_blank_are_counted(tmp_path: Path, content: bytes, lines: int) -> None:
    (tmp_path / "in").write_bytes(content)
    assert count_lines(tmp_path / "in") == lines


@pytest.mark.parametrize("content", (b"", b"\n\r\n  \n"))
def test_nothing_to_send_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(InputError, match="holds no lines") as caught:
        count_lines(tmp_path / "in")
    assert caught.value.exit_code == 2


def test_missing_file_and_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        count_lines(tmp_path / "none")
    with pytest.raises(InputError, match="is not a file"):
        count_lines(tmp_path)


def test_snapshots_are_followed_from_where_the_file_ended(tmp_path: Path) -> None:
    path = tmp_path / "snapshots.jsonl"
    path.write_text(snapshot(999))
    follow = Snapshots(path)
    follow.read()
    assert follow.counted == 0

    with path.open("a") as stream:
        stream.write(snapshot(10) + snapshot(20)[:30])
    follow.read()
    # Two rejected, one gap and three doubles.
    assert follow.counted == 16

    with path.open("a") as stream:
        stream.write(snapshot(20)[30:])
    follow.read()
    assert follow.counted == 26
    assert follow.rejected == {"not_json": 2}
    assert follow.began == 1795525200.5


@pytest.mark.parametrize("line", ("[" * 100_000, "torn", '{"a": "\\ud800"}', "[]", "1e999"))
def test_a_snapshot_that_cannot_be_read_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "snapshots.jsonl"
    follow = Snapshots(path)
    path.write_text(f"{line}\n{snapshot(10)}")
    follow.read()
    assert follow.counted == 16


def test_snapshots_of_a_job_that_has_not_begun(tmp_path: Path) -> None:
    follow = Snapshots(tmp_path / "none")
    follow.read()
    assert (follow.counted, follow.began, follow.rejected) == (0, None, {})


def test_a_file_of_bad_lines_alone_has_analytics_over_nothing(tmp_path: Path) -> None:
    text = analytics_text(Snapshots(tmp_path / "none").analytics, 0)
    assert "Total number of messages: 0\n" in text
    assert "Total number of sensors: 0\n" in text


def test_letter_in_parts_counts_once() -> None:
    parts = [(("reason", b"too_large"), ("part", str(n).encode())) for n in (1, 2)]
    assert [reason(part) for part in parts] == ["too_large", None]
    assert reason([("reason", b"not_json")]) == "not_json"
    assert reason([]) == "unknown"
    # The job's own letters, which it counts by itself.
    assert reason([("reason", b"not_json"), ("offset", b"7")]) is None


def test_account_is_settled_when_every_line_is_somewhere() -> None:
    assert not Account(lines=3, counted=1, dead=1).settled
    assert Account(lines=3, counted=2, dead=1).settled


def test_analytics_have_the_layout_of_the_reference() -> None:
    text = analytics_text(ANALYTICS, 0)
    assert text.count("Time: 1970-01-01 00:00:00") == 4
    rows = [line for line in text.splitlines() if line and not line.startswith(("-", "Time"))]
    assert rows == [
        "('FL', 70.70635838150288)",
        "('AK', 26.5)",
        "Total number of messages: 10000",
        "('AK', 53)",
        "('FL', 40)",
        "Total number of sensors: 2086",
    ]


def test_rejected_says_why_and_where() -> None:
    assert rejected_text({"not_json": 2}, {"bad_guid": 1}).splitlines() == [
        "Rejected: 3",
        "  2 not_json (dead letter)",
        "  1 bad_guid (by Spark)",
    ]


@pytest.mark.parametrize(
    ("said", "lines"),
    (
        ("8200 acknowledged, 100 under way", 8200),
        ("replayed 10 messages: 9 acknowledged, 1 refused in 0.1 s", 9),
        ("replayed 10 messages: 7 acknowledged, 0 refused, 3 not acknowledged in 1.0 s", 7),
        ("", None),
    ),
)
def test_lines_sent_come_from_the_agent_s_last_words(said: str, lines: int | None) -> None:
    assert lines_sent(said) == lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def ticks(*seconds: float) -> Any:
    return iter(seconds).__next__


def test_progress_is_seldom_where_nobody_watches() -> None:
    stream = io.StringIO()
    report = Report(stream, ticks(0, 1, 3, 4, 6))
    for number in range(4):
        report.progress(f"{number}")
    report("end")
    assert stream.getvalue() == "[demo] 1\n[demo] 3\n[demo] end\n"


def test_progress_is_one_line_that_is_rewritten_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    stream = Terminal()
    report = Report(stream, ticks(0, 1, 1.1, 2))
    for line in ("1", "unseen", "longer than the line"):
        report.progress(line)
    report("end")
    assert stream.getvalue() == "\r[demo] 1\x1b[K\r[demo] long\x1b[K\r\x1b[K[demo] end\n"
