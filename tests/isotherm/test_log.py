from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING

import pytest

from isotherm.log import Log, Problem, Problems, start_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # basicConfig(force=True) closes what it finds, and pytest's own handlers are among that.
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def test_one_line_says_when_how_bad_who_and_what(stream: io.StringIO) -> None:
    start_logging("bridge", stream=stream).info("connected", mqtt="mqtt://[::1]:1883", tries=3)
    moment, rest = stream.getvalue().split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert rest == "info  bridge connected mqtt=mqtt://[::1]:1883 tries=3\n"


def test_levels_stand_in_a_column(stream: io.StringIO) -> None:
    log = start_logging("agent", verbose=True, stream=stream)
    for say in (log.debug, log.info, log.warning, log.error):
        say("x")
    assert [line[25:] for line in stream.getvalue().splitlines()] == [
        "debug agent x",
        "info  agent x",
        "warn  agent x",
        "error agent x",
    ]


def test_debug_lines_are_hidden_unless_asked_for(stream: io.StringIO) -> None:
    start_logging("agent", stream=stream).debug("x")
    assert not stream.getvalue()


@pytest.mark.parametrize(
    ("value", "shown"),
    (
        ("plain-1.5_x", "plain-1.5_x"),
        ("two words", '"two words"'),
        ("", '""'),
        ('a"b', '"a\\"b"'),
        ("key=value", '"key=value"'),
        ("Grün", '"Grün"'),
        ("a\nb", '"a\\nb"'),
        ("a\rb", '"a\\rb"'),
        (1.0, "1.000"),
        (True, "True"),
        (None, "None"),
        (["a", "b"], "\"['a', 'b']\""),
    ),
)
def test_values(stream: io.StringIO, value: object, shown: str) -> None:
    start_logging("agent", stream=stream).info("event", value=value)
    assert stream.getvalue().endswith(f" event value={shown}\n")


@pytest.mark.parametrize(
    "mark", ("\n", "\r", "\x1b[2J", "\x85", "\x9b2J", "\x7f", "\u2028", "\u202e", "\ud800")
)
def test_what_a_device_wrote_cannot_forge_a_line_nor_steer_a_terminal(
    stream: io.StringIO, mark: str
) -> None:
    start_logging("agent", stream=stream).info("event", guid=f"a{mark}b")
    text = stream.getvalue()
    assert text[:-1].isprintable()
    assert len(text.splitlines()) == 1


def test_warnings_of_libraries_are_named(stream: io.StringIO) -> None:
    start_logging("bridge", stream=stream)
    logging.getLogger("library.part").warning("no route to %s", "host")
    logging.getLogger("library.part").info("chatter")
    lines = stream.getvalue().splitlines()
    assert [line[25:] for line in lines] == ["warn  bridge library.part: no route to host"]


def test_starting_again_does_not_double_the_lines(stream: io.StringIO) -> None:
    start_logging("bridge", stream=stream)
    start_logging("bridge", stream=stream).info("x")
    assert len(stream.getvalue().splitlines()) == 1


def test_a_log_that_was_not_started_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("isotherm").setLevel(logging.NOTSET)
    Log("agent").info("x")
    assert capsys.readouterr().err == ""


def lines(stream: io.StringIO) -> list[str]:
    return [line[25:] for line in stream.getvalue().splitlines()]


def test_a_problem_is_one_line_when_it_begins_and_one_when_it_is_over(stream: io.StringIO) -> None:
    log = start_logging("agent", stream=stream)
    problem = Problem(log.error, "sink fails", log.info, "sink works", sink="s")
    problem.end(failed=0)
    for tries in range(3):
        problem.begin(tries=tries)
    assert problem
    for failed in range(3):
        problem.end(failed=failed)
    assert not problem
    problem.begin(tries=9)
    assert lines(stream) == [
        "error agent sink fails sink=s tries=0",
        "info  agent sink works sink=s failed=0",
        "error agent sink fails sink=s tries=9",
    ]


def test_another_reason_of_a_problem_is_another_line(stream: io.StringIO) -> None:
    log = start_logging("agent", stream=stream)
    problem = Problem(log.warning, "no broker")
    for reason in ("refused", "refused", "no route", "no route", "refused"):
        problem.begin(reason, why=reason)
    assert problem.reason == "refused"
    problem.end()
    assert problem.reason == ""
    problem.begin("refused", why="refused")
    assert [line.rpartition("=")[2] for line in lines(stream)] == [
        "refused",
        '"no route"',
        "refused",
        "refused",
    ]


def test_the_reason_is_the_line_where_there_is_no_other(stream: io.StringIO) -> None:
    problem = Problem(start_logging("agent", stream=stream).warning)
    problem.begin("it takes no will")
    problem.end()
    assert lines(stream) == ["warn  agent it takes no will"]


def test_what_problems_concerned_is_counted_until_they_are_over(stream: io.StringIO) -> None:
    problems = Problems(start_logging("agent", stream=stream), "readings")
    problems.begin("full", 3, bound="1 GB")
    problems.begin("refused", 1)
    problems.begin("full", 4, bound="2 GB")
    problems.end("full")
    problems.end("full")
    problems.end("never begun")
    problems.begin("full", 1)
    problems.end("full")
    assert lines(stream) == [
        'warn  agent full bound="1 GB"',
        "warn  agent refused",
        "warn  agent over: full readings=7",
        "warn  agent full",
        "warn  agent over: full readings=1",
    ]
