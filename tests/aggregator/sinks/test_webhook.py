"""The webhook for snapshots, against real servers on loopback that may answer in any way."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from aggregator.errors import SinkError
from aggregator.settings import PREFIX, AggregatorSettings
from aggregator.sinks.base import SinkContext
from aggregator.sinks.best_effort import BestEffortSink
from aggregator.sinks.webhook import WebhookSettings, WebhookSink, key, make
from isotherm.errors import SettingsError
from isotherm.kafka.access import KafkaAccess
from isotherm.log import Log
from isotherm.settings.table import load
from tests.aggregator.analytics.test_snapshot import SCHEMA
from tests.aggregator.support.golden import snapshot
from tests.support import await_true
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
LONG = 60.0
"""Seconds: never the reason why a test ends."""


def asked(client: socket.socket) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request."""
    with client.makefile("rb") as stream:
        head = [stream.readline().decode().rstrip()]
        while line := stream.readline().decode().rstrip():
            head.append(line)
        headers = dict(line.split(": ", 1) for line in head[1:])
        return {"": head[0], **headers}, stream.read(int(headers["Content-Length"]))


@contextmanager
def receiver(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    try:
                        answer(client)
                    except OSError:
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/s3cret-path"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def saying(text: bytes) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        asked(client)
        client.sendall(text)

    return answer


def hang(client: socket.socket) -> None:
    asked(client)
    # Until the sink has had enough.
    client.recv(1)


def drip(client: socket.socket) -> None:
    asked(client)
    client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        client.sendall(b"y")
        threading.Event().wait(0.01)


def flood(client: socket.socket) -> None:
    asked(client)
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        client.sendall(b"y" * (1 << 20))


def test_a_snapshot_is_one_post_of_its_json_with_the_token_and_a_key() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    def take(client: socket.socket) -> None:
        seen.append(asked(client))
        client.sendall(TAKEN)

    with receiver(take) as url:
        WebhookSink(url, "hunter2", LONG).emit(snapshot())
    ((headers, body),) = seen
    assert headers[""] == "POST /s3cret-path HTTP/1.1"
    assert headers["Authorization"] == "Bearer hunter2"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Idempotency-Key"] == '"q/7"'
    jsonschema.validate(json.loads(body), SCHEMA)
    assert json.loads(body)["batch_id"] == 7


def test_a_batch_that_comes_again_has_its_key_again_and_idle_triggers_have_others() -> None:
    assert key(snapshot()) == key(snapshot(since_start=True)) == "q/7"
    assert key(snapshot(idle=True)) == "q/7/1479735009000000000"


@pytest.mark.parametrize(
    ("answer", "said"),
    (
        (saying(b"HTTP/1.1 500 Error\r\n\r\nno"), "the receiver answers 500"),
        (saying(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), "the receiver answers 302"),
        (saying(b"no HTTP\r\n"), "BadStatusLine"),
        (saying(b""), "Remote end closed connection"),
    ),
)
def test_what_is_not_taken_is_an_error_without_address_and_token(
    answer: Callable[[socket.socket], None], said: str
) -> None:
    with receiver(answer) as url, pytest.raises(SinkError, match=said) as caught:
        WebhookSink(url, "hunter2", LONG).emit(snapshot())
    assert "s3cret" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_receiver_that_is_away_is_an_error() -> None:
    with receiver(hang) as url:
        pass
    with pytest.raises(SinkError, match="Connection refused"):
        WebhookSink(url, None, LONG).emit(snapshot())


@pytest.mark.parametrize("answer", (hang, drip))
def test_an_answer_that_does_not_end_has_a_deadline(
    answer: Callable[[socket.socket], None],
) -> None:
    with receiver(answer) as url, pytest.raises(SinkError, match=r"timed out|within 0\.3 s"):
        WebhookSink(url, None, 0.3).emit(snapshot())


def test_of_an_answer_without_end_only_the_beginning_is_read() -> None:
    with receiver(flood) as url:
        WebhookSink(url, None, LONG).emit(snapshot())


def test_a_receiver_that_hangs_holds_nothing_up_and_the_newest_wait() -> None:
    entered, free = threading.Event(), threading.Event()
    batches: list[int] = []

    def answer(client: socket.socket) -> None:
        batches.append(json.loads(asked(client)[1])["idle"])
        entered.set()
        free.wait(LONG)
        client.sendall(TAKEN)

    with receiver(answer) as url:
        sink = BestEffortSink("webhook", WebhookSink(url, None, LONG), Log("test"), room=2)
        sink.emit(snapshot())
        assert entered.wait(LONG)
        for idle in (False, False, True, True):
            # Returns at once, or the test hangs: the receiver answers only afterwards.
            sink.emit(snapshot(idle=idle))
        assert sink.dropped == 2
        free.set()
        await_true(lambda: len(batches) == 3 and sink.well, "the newest")
        sink.close()
    assert batches == [False, True, True]


def test_a_certificate_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Authority(tmp_path, "ca").issue("server", "127.0.0.1"))
    seen = []

    def answer(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as stream:
            seen.append(asked(stream))

    with receiver(answer) as url, pytest.raises(SinkError, match="CERTIFICATE_VERIFY_FAILED"):
        WebhookSink(url.replace("http:", "https:"), "hunter2", LONG).emit(snapshot())
    assert not seen


def settings(**values: Any) -> WebhookSettings:
    file = {"kafka": {"brokers": "k:1"}, "job": {"checkpoint": "ck"}, "output": values}
    found: WebhookSettings = load(AggregatorSettings, PREFIX, file=file).sinks["webhook"]
    return found


def made(found: WebhookSettings, tmp_path: Path) -> WebhookSink | None:
    with (tmp_path / "stdout").open("w") as stdout:
        access = KafkaAccess(brokers="k:1")
        return make(found, SinkContext(access=access, stdout=stdout, log=Log("test")))


def test_the_settings_make_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hunter2\n")
    token.chmod(0o600)
    found = settings(webhook="https://host/path", webhook_token_file=str(token))
    assert found.webhook_timeout == 5.0
    assert made(found, tmp_path) is not None
    assert made(settings(), tmp_path) is None


def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hunter2")
    token.chmod(0o644)
    with pytest.raises(SettingsError, match=r"set output\.webhook too"):
        settings(webhook_token_file=str(token))
    with pytest.raises(SettingsError, match="https://HOST/PATH"):
        settings(webhook="ftp://host/")
    with pytest.raises(SettingsError, match=r"0\.1s to 60s"):
        settings(webhook="https://host/", webhook_timeout="2m")
    found = settings(webhook="https://host/", webhook_token_file=str(token))
    with pytest.raises(SettingsError, match=r"mode 0644.*chmod 600"):
        made(found, tmp_path)
