from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dashboard.feeds.base import Source
from dashboard.web.server import keep_fed
from isotherm.log import Log
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from dashboard.feeds.base import Inbox


class Failing:
    """Fails at its first run, and ends the test at its second."""

    began = Source(kind="file", name="s.jsonl")

    def __init__(self) -> None:
        self.runs = 0

    def run(self, _inbox: Inbox, stop: threading.Event) -> None:
        self.runs += 1
        if self.runs == 1:
            raise KeyError("a secret")
        stop.set()


class Kept:
    """An inbox that keeps what it is told of the source."""

    def __init__(self) -> None:
        self.sources: list[Source] = []

    def snapshot(self, snapshot: dict[str, Any]) -> None: ...

    def broken(self, where: str, why: str) -> None: ...

    def source(self, source: Source) -> None:
        self.sources.append(source)


def test_a_feed_that_fails_is_said_to_be_down_and_begun_again() -> None:
    feed, kept, tasks = Failing(), Kept(), Tasks(Log("test"))
    keep_fed(feed, kept, threading.Event(), tasks).join(20)
    assert feed.runs == 2
    (source,) = kept.sources
    assert not source.up
    assert "KeyError at test_keep_fed.py" in source.why
    assert "a secret" not in source.why
    assert (tasks.ends, tasks.faults()) == (1, [])
