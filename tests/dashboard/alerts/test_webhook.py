"""The webhook, over a real HTTP server that may refuse."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from dashboard.alerts.alert import Alert
from dashboard.alerts.condition import Key
from dashboard.alerts.notified import NotifiedFile
from dashboard.alerts.rules import Limits, rules
from dashboard.alerts.sinks.base import ROOM, AlertContext, QueuedSink
from dashboard.alerts.sinks.webhook import Webhook
from isotherm.backoff import Backoff
from isotherm.log import Log
from isotherm.tasks import Tasks
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dashboard.alerts.notified import Notice, Notified

H = 3600 * 10**9
AZ = Alert(key=Key("state-too-hot", "AZ"), since=5000, value=112.0)
TX = Alert(key=Key("state-too-hot", "TX"), since=6000, value=113.0)


class Receiver:
    """Answers with what it is told to, the last for ever."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers) or [204]
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked.append((dict(self.headers), json.loads(body)))
                answers = receiver.answers
                status = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret-path"

    def said(self) -> list[str]:
        return [f"{body['state']} {body['status']}" for _, body in self.asked]


@contextmanager
def receiver(*answers: int) -> Iterator[Receiver]:
    one = Receiver(*answers)
    Thread(target=one.server.serve_forever, args=(0.01,), daemon=True).start()
    yield one
    one.server.shutdown()
    one.server.server_close()


def context(**keywords: Any) -> AlertContext:
    log = Log("test")
    found: dict[str, Any] = {"tasks": Tasks(log), **keywords}
    return AlertContext(rules=rules(Limits()), repeat=4 * H, log=log, **found)


@contextmanager
def webhook(url: str, token: str | None = None, **keywords: Any) -> Iterator[Webhook]:
    quick = Backoff(first=0.001, longest=0.002, draw=random.Random(1))
    one = Webhook(url, token, context(**keywords), backoff=quick)
    yield one
    one.close()


def test_what_begins_and_ends_is_posted_in_order_with_the_token() -> None:
    with receiver() as there, webhook(there.url, "s3cret") as hook:
        hook.update([AZ], H)
        hook.update([AZ, TX], H + 1)
        hook.update([TX], H + 2)
        await_true(lambda: hook.sent == 3, "three messages")
        assert there.said() == ["AZ firing", "TX firing", "AZ resolved"]
        headers, body = there.asked[0]
        assert headers["Authorization"] == "Bearer s3cret"
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert (body["value"], body["unit"], body["again"]) == (112.0, "fahrenheit", False)
        assert (hook.failures, hook.given_up) == (0, 0)


@pytest.mark.parametrize("answer", (500, 503, 429, 408))
def test_what_fails_is_tried_again_and_nothing_overtakes_it(answer: int) -> None:
    with receiver(answer, answer, 200) as there, webhook(there.url) as hook:
        hook.update([AZ], H)
        hook.update([], H + 1)
        await_true(lambda: hook.sent == 2, "both messages")
        assert there.said() == ["AZ firing"] * 3 + ["AZ resolved"]
        assert (hook.failures, hook.given_up) == (2, 0)


@pytest.mark.parametrize("answer", (400, 401, 404, 302))
def test_what_is_refused_for_good_is_given_up_and_holds_nothing_up(answer: int) -> None:
    with receiver(answer, 200) as there, webhook(there.url) as hook:
        hook.update([AZ, TX], H)
        await_true(lambda: hook.sent == 1, "the second message")
        assert there.said() == ["AZ firing", "TX firing"]
        assert (hook.failures, hook.given_up) == (1, 1)


def test_a_receiver_that_is_away_costs_no_time_and_bounded_room() -> None:
    with receiver() as there:
        url = there.url
    with webhook(url) as hook:
        for second in range(ROOM + 5):
            hook.update([AZ] if second % 2 == 0 else [], second)
        await_true(lambda: hook.failures > 1, "attempts")
        assert hook.sent == 0
        # One may be out of the queue, in the hands of the thread.
        assert hook.given_up in {4, 5}


def test_a_failure_is_said_without_the_address(caplog: pytest.LogCaptureFixture) -> None:
    with receiver(500, 200) as there, caplog.at_level("INFO"), webhook(there.url) as hook:
        hook.update([AZ], H)
        await_true(lambda: hook.sent == 1, "the message")
        assert "webhook fails" in caplog.messages
        assert "secret-path" not in str([record.__dict__ for record in caplog.records])


def test_a_restart_tells_nothing_twice_and_what_ended_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "told.json"

    def remembered() -> set[Key]:
        return set(NotifiedFile(file).of("webhook"))

    with receiver() as there:
        with webhook(there.url, notified=NotifiedFile(file)) as hook:
            hook.update([AZ, TX], H)
            await_true(lambda: remembered() == {AZ.key, TX.key}, "both remembered")
        with webhook(there.url, notified=NotifiedFile(file)) as hook:
            hook.update([AZ], 2 * H)
            await_true(lambda: hook.sent == 1, "the end of one")
        assert there.said() == ["AZ firing", "TX firing", "TX resolved"]


def test_what_was_not_delivered_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    with receiver(400) as there, webhook(there.url, notified=NotifiedFile(file)) as hook:
        hook.update([AZ], H)
        await_true(lambda: hook.given_up == 1, "the refusal")
    assert not file.exists()


def test_a_delivery_that_fails_in_any_way_is_tried_again_and_says_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = [ValueError("Invalid header value b'Bearer hunter2'"), KeyError("hunter2")]

    def deliver(notice: Notice) -> None:
        assert notice.firing
        if answers:
            raise answers.pop(0)

    tasks = Tasks(Log("test"))
    quick = Backoff(first=0.001, longest=0.002)
    with caplog.at_level("INFO"):
        sink = QueuedSink("x", deliver, context(tasks=tasks), backoff=quick)
        sink.update([AZ], H)
        await_true(lambda: sink.sent == 1, "the message")
        sink.close()
    assert (sink.failures, tasks.ends) == (2, 0)
    assert "hunter2" not in str([record.__dict__ for record in caplog.records])


class BrokenOnce(NotifiedFile):
    """Fails in a way that nobody expects, once."""

    broken = False

    def save(self, sink: str, notified: Mapping[Key, Notified]) -> None:
        if not self.broken:
            self.broken = True
            raise ValueError("hunter2")
        super().save(sink, notified)


def test_the_thread_is_begun_again_where_it_ends(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    tasks = Tasks(Log("test"))
    notified = BrokenOnce(tmp_path / "told.json")
    with (
        receiver() as there,
        caplog.at_level("INFO"),
        webhook(there.url, tasks=tasks, notified=notified) as hook,
    ):
        hook.update([AZ], H)
        await_true(lambda: bool(tasks.faults()), "the end of the thread")
        hook.update([AZ, TX], H + 1)
        await_true(lambda: hook.sent == 2, "the next message")
    assert (tasks.ends, tasks.faults()) == (1, [])
    assert "hunter2" not in str([record.__dict__ for record in caplog.records])
