"""Apprise, for real, against a server on loopback that may answer in any way."""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dashboard.alerts.sinks import apprise
from dashboard.alerts.sinks.apprise import AppriseSettings, AppriseSink, make
from dashboard.settings import PREFIX, DashboardSettings
from isotherm.backoff import Backoff
from isotherm.errors import SettingsError
from isotherm.settings.table import load
from tests.dashboard.alerts.test_webhook import AZ, TX, H, context, receiver
from tests.isotherm.http.test_client import answering
from tests.support import await_true

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path


def addressed(url: str) -> str:
    """The address for Apprise of a server of ours."""
    return url.replace("http://", "json://") + "?secret=hunter2"


@contextmanager
def sink(url: str, **keywords: Any) -> Iterator[AppriseSink]:
    quick = Backoff(first=0.001, longest=0.002, draw=random.Random(1))
    one = AppriseSink("apprise", url, context(**keywords), backoff=quick)
    yield one
    one.close()


def file_of(tmp_path: Path, text: str, mode: int = 0o600) -> AppriseSettings:
    file = tmp_path / "urls"
    file.write_text(text)
    file.chmod(mode)
    return AppriseSettings(apprise_urls_file=str(file))


def test_what_begins_and_ends_arrives_as_text() -> None:
    with receiver() as there, sink(addressed(there.url)) as one:
        one.update([AZ], H)
        one.update([], H + 1)
        await_true(lambda: one.sent == 2, "both messages")
        (_, began), (_, ended) = there.asked
        assert (began["title"], began["type"]) == ("firing: state-too-hot AZ", "warning")
        assert "AZ has 112.0 °F on average" in began["message"]
        assert (ended["title"], ended["type"]) == ("resolved: state-too-hot AZ", "success")


def test_what_fails_is_tried_again_and_what_is_refused_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        receiver(500, 401, 200) as there,
        caplog.at_level("INFO"),
        sink(addressed(there.url)) as one,
    ):
        one.update([AZ, TX], H)
        await_true(lambda: one.sent == 1, "the second message")
        assert [body["title"][-2:] for _, body in there.asked] == ["AZ", "AZ", "TX"]
        assert (one.failures, one.given_up) == (2, 1)
    assert caplog.messages.count("apprise fails") == 1
    assert caplog.messages.count("apprise works again") == 1
    said = str([record.__dict__ for record in caplog.records])
    assert "hunter2" not in said
    assert "secret-path" not in said
    assert "the receiver answers 500" in said


def test_a_redirect_is_not_followed() -> None:
    with receiver(302, 200) as there, sink(addressed(there.url)) as one:
        one.update([AZ], H)
        await_true(lambda: one.given_up == 1, "the message to be given up")
        assert len(there.asked) == 1


def hang(client: socket.socket) -> None:
    client.recv(1)


def drip(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 500 Error\r\n\r\n")
    while True:
        client.sendall(b"x" * (1 << 20))


@pytest.mark.parametrize("answer", (hang, drip, lambda _client: None))
def test_an_answer_that_never_ends_or_never_comes_has_a_deadline(
    answer: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise, "_TOTAL_S", 5.0)
    with answering(answer) as url, sink(addressed(url)) as one:
        one.update([AZ], H)
        await_true(lambda: one.failures == 1, "the deadline")
        assert one.sent == 0


def test_each_address_has_a_sink_of_its_own(tmp_path: Path) -> None:
    with receiver() as there, receiver() as other:
        urls = f"# two\n\n{addressed(there.url)}\n  {addressed(other.url)}\n"
        sinks = make(file_of(tmp_path, urls), context())
        for one in sinks:
            one.update([AZ], H)
        await_true(lambda: all(one.sent == 1 for one in sinks), "both messages")
        assert [one.name for one in sinks] == ["apprise", "apprise-2"]
        for one in sinks:
            one.close()


def test_no_file_is_no_sink() -> None:
    assert not make(AppriseSettings(apprise_urls_file=None), context())


@pytest.mark.parametrize(
    ("text", "mode", "fix"),
    (
        ("json://hunter2@host/", 0o640, "chmod 600"),
        ("# nothing\n", 0o600, "has 0 addresses"),
        ("json://hunter2@host/\n" * 21, 0o600, "has 21 addresses"),
        ("# mine\njson://host/\nhunter2://host/\n", 0o600, "line 3 is no address"),
    ),
)
def test_a_file_that_cannot_be_used_is_said_at_the_start_without_its_addresses(
    tmp_path: Path, text: str, mode: int, fix: str
) -> None:
    with pytest.raises(SettingsError, match=fix) as caught:
        file_of(tmp_path, text, mode).urls()
    assert "apprise_urls_file" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_package_is_one_sentence_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"pip install 'isotherm\[apprise\]'"):
        file_of(tmp_path, "json://host/").urls()


def test_its_rows_are_rows_of_the_dashboard(tmp_path: Path) -> None:
    flags = {"snapshots": "s.jsonl", "apprise_urls_file": "urls", "state_file": str(tmp_path)}
    settings = load(DashboardSettings, PREFIX, flags=flags)
    settings.check()
    assert settings.alert_sinks["apprise"].apprise_urls_file == "urls"


def test_the_page_itself_does_not_load_it() -> None:
    assert "apprise" not in sys.modules
