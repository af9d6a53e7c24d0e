from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from isotherm.backoff import Backoff
from isotherm.errors import SettingsError
from isotherm.log import start_logging
from isotherm.tasks import Tasks, where

if TYPE_CHECKING:
    import pytest

PATIENCE_S = 10.0
QUOTED = "Bearer hunter2"


def _fail_with_a_secret() -> None:
    raise ValueError(QUOTED)


def test_the_end_of_a_task_is_a_line_a_count_and_a_fault(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tasks = Tasks(start_logging("test"))
    tasks.start("webhook", _fail_with_a_secret, stopping=lambda: False).join(PATIENCE_S)
    assert tasks.ends == 1
    (fault,) = tasks.faults()
    assert "webhook" in fault
    line = capsys.readouterr().err
    assert line.count("task ended") == 1
    assert "ValueError at test_tasks.py" in line
    assert QUOTED not in line + fault


def test_a_task_that_returns_has_ended_too() -> None:
    tasks = Tasks(start_logging("test"))
    tasks.start("lag", lambda: None, stopping=lambda: False).join(PATIENCE_S)
    assert tasks.faults()


def test_an_end_that_is_wanted_is_none() -> None:
    tasks = Tasks(start_logging("test"))
    tasks.start("lag", lambda: None, stopping=lambda: True).join(PATIENCE_S)
    assert not tasks.faults()
    assert tasks.ends == 0


def test_a_task_is_begun_again_and_the_fault_is_over() -> None:
    tasks = Tasks(start_logging("test"))
    runs: list[int] = []
    second, stop = threading.Event(), threading.Event()

    def run() -> None:
        runs.append(1)
        if len(runs) == 1:
            _fail_with_a_secret()
        second.set()
        stop.wait(PATIENCE_S)

    thread = tasks.start("feed", run, stopping=stop.is_set, again=Backoff(first=0.001))
    assert second.wait(PATIENCE_S)
    assert not tasks.faults()
    assert tasks.ends == 1
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_the_words_of_our_own_errors_are_shown() -> None:
    assert "mqtt.url" in where(SettingsError("mqtt.url", "x", "write mqtt://HOST"))
