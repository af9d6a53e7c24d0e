"""One question to another program, which may answer in any way."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dashboard.web.job_client import Job, SensorsError
from isotherm.http.client import RefusedError, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROW: dict[str, Any] = {
    "guid": "s",
    "readings": 1,
    "average_temperature": 50.5,
    "last_seen": "2026-11-30T14:00:00Z",
    "last_event": "2026-11-30T14:00:00Z",
    "offline": False,
}
GOOD: dict[str, Any] = {"state": "CA", "total": 1, "sensors": [ROW]}

CHANGES: tuple[dict[str, Any], ...] = (
    {"state": "TX"},
    {"total": -1},
    {"total": 10**39},
    {"sensors": None},
    {"sensors": [ROW] * 201},
    {"sensors": [1]},
    {"sensors": [{}]},
    {"sensors": [ROW | {"guid": "x" * 129}]},
    {"sensors": [ROW | {"average_temperature": "50"}]},
    {"sensors": [ROW | {"last_seen": "now"}]},
    {"sensors": [ROW | {"offline": None}]},
)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says what it likes to each client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    try:
                        client.recv(65_536)
                        answer(client)
                    except OSError:
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def body(data: bytes, status: str = "200 OK") -> Callable[[socket.socket], None]:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    return lambda client: client.sendall(head + data)


@pytest.mark.parametrize("begun", (b"", b"HTTP/1.1 200 OK\r\nX: "))
def test_an_answer_that_never_ends_has_a_deadline(begun: bytes) -> None:
    def drip(client: socket.socket) -> None:
        client.sendall(begun)
        while True:
            client.sendall(b"H")
            time.sleep(0.05)

    began = time.monotonic()
    with answering(drip) as url, pytest.raises(TimeoutError, match="no whole answer within"):
        ask(url, timeout=5.0, total=0.5)
    assert time.monotonic() - began < 5.0


def test_no_more_is_read_than_is_wanted() -> None:
    with answering(body(b"x" * 100_000)) as url:
        assert ask(url, timeout=5.0, total=5.0, max_bytes=10) == b"x" * 10


def test_nobody_is_sent_elsewhere() -> None:
    def elsewhere(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    with answering(elsewhere) as url, pytest.raises(RefusedError, match="302"):
        ask(url, timeout=5.0, total=5.0)


def test_what_the_job_says_is_passed_on() -> None:
    with answering(body(json.dumps(GOOD | {"more": 1}).encode())) as url:
        assert Job(url).sensors("CA") == GOOD


@pytest.mark.parametrize(
    "said",
    (
        b"",
        b"[]",
        b"[" * 100_000,
        b"1" * 5_000,
        b"\xff",
        b'{"sensors": NaN}',
        b'{"a":"\\ud800"}',
        b" " * (2 << 20),
        *(json.dumps(GOOD | change).encode() for change in CHANGES),
    ),
)
def test_an_answer_that_cannot_be_used_is_a_sentence(said: bytes) -> None:
    with answering(body(said)) as url, pytest.raises(SensorsError, match="cannot be used") as found:
        Job(url).sensors("CA")
    assert len(str(found.value)) < 300


@pytest.mark.parametrize(
    "answer",
    (
        lambda client: client.sendall(b"no HTTP\r\n\r\n"),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
        lambda client: client.close(),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    ),
)
def test_what_is_no_answer_is_a_sentence(answer: Any) -> None:
    with answering(answer) as url, pytest.raises(SensorsError, match="--job"):
        Job(url).sensors("CA")


def test_a_refusal_is_passed_on_in_part_and_in_printable_characters() -> None:
    said = b"no\x1b[31m ledger\xff" + b"x" * 100_000
    with (
        answering(body(said, "503 Service Unavailable")) as url,
        pytest.raises(SensorsError, match="says: no") as found,
    ):
        Job(url).sensors("CA")
    assert str(found.value).isprintable()
    assert len(str(found.value)) < 700
