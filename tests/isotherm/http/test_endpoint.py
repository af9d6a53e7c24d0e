from __future__ import annotations

import os
import resource
import socket
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from isotherm.backoff import Backoff
from isotherm.http import server as http_server
from isotherm.http.endpoint import Endpoint, Page, json_page, metrics, verdict
from isotherm.http.server import MOST_ANSWERS, MOST_CONNECTIONS, MOST_HEAD, RequestError, parse
from isotherm.log import start_logging
from isotherm.settings.address import Address
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = Address("", "127.0.0.1", 0)
PAGES = {"/metrics": lambda: metrics("up 1\n"), "/healthz": lambda: verdict([])}
PATIENCE_S = 20.0


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(LOOPBACK, PAGES) as one:
        yield one


def client(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def say(port: int, *lines: str) -> bytes:
    """What a request gets, all of it."""
    with client(port) as one:
        one.sendall("\r\n".join([*lines, "", ""]).encode())
        return rest(one)


def rest(one: socket.socket) -> bytes:
    found = b""
    try:
        while data := one.recv(65_536):
            found += data
    except ConnectionResetError:
        pass
    return found


def get(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def descriptors() -> list[int]:
    return [int(each.name) for each in Path("/proc/self/fd").iterdir()]


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_it_answers_get_and_head_and_nothing_else(endpoint: Endpoint) -> None:
    answer = say(endpoint.port, "GET /metrics?x=1 HTTP/1.1", "Host: localhost")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 5" in head
    assert body == b"up 1\n"
    assert say(endpoint.port, "HEAD /metrics HTTP/1.0").partition(b"\r\n\r\n")[2] == b""
    refused = say(endpoint.port, "POST /metrics HTTP/1.1", "Host: localhost", "Content-Length: 9")
    assert status(refused) == 405
    assert b"Allow: GET, HEAD" in refused
    assert status(say(endpoint.port, "GET /metrics/ HTTP/1.1")) == 404


@pytest.mark.parametrize(
    "head",
    (
        b"",
        b"GET",
        b"GET /",
        b"GET / HTTP/2",
        b"GET http://x/ HTTP/1.1",
        b"G\xcbT / HTTP/1.1",
        b"GET / HTTP/1.1\r\nno colon",
        b"GET / HTTP/1.1\r\n: empty",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded: b",
        b"GET / HTTP/1.1\r\nHost : a",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b",
    ),
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(RequestError):
        parse(head)


def test_bytes_that_are_no_request_are_answered_with_400(endpoint: Endpoint) -> None:
    assert status(say(endpoint.port, "\x16\x03\x01 tls?")) == 400
    assert get(endpoint.port, "/healthz") == 200


def test_a_request_has_a_bound(endpoint: Endpoint) -> None:
    assert status(say(endpoint.port, "GET / HTTP/1.1", "X: " + "x" * MOST_HEAD)) == 431
    with client(endpoint.port) as one:
        one.sendall(b"x" * (MOST_HEAD + 1))
        assert status(rest(one)) == 431


def test_a_name_that_was_made_to_point_here_is_not_answered() -> None:
    with Endpoint(LOOPBACK, PAGES, hosts="bridge.example.com") as endpoint:
        rebound = say(endpoint.port, "GET /metrics HTTP/1.1", "Host: evil.example.com")
        assert status(rebound) == 421
        assert b"metrics_hosts" in rebound
        allowed = say(endpoint.port, "GET /metrics HTTP/1.1", "Host: bridge.example.com:9464")
        assert status(allowed) == 200


def test_a_page_of_another_site_makes_no_work(endpoint: Endpoint) -> None:
    request = ["GET /metrics HTTP/1.1", "Host: localhost", "Sec-Fetch-Site: cross-site"]
    assert status(say(endpoint.port, *request, "Sec-Fetch-Mode: no-cors")) == 403
    link = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
    assert status(say(endpoint.port, *request, *link)) == 200


def test_clients_who_never_ask_keep_nobody_waiting(endpoint: Endpoint) -> None:
    before = len(descriptors())
    with ExitStack() as stack:
        clients = [stack.enter_context(client(endpoint.port)) for _ in range(260)]
        for one in clients[::2]:
            # The first of them have given way by now.
            with suppress(OSError):
                one.sendall(b"GET /metrics HT")
        for _ in range(10):
            assert get(endpoint.port, "/healthz") == 200
        # Ours and theirs are in this process.
        assert len(descriptors()) < before + 260 + MOST_CONNECTIONS + 10


def test_a_connection_ends_by_its_deadline_however_slowly_its_client_asks_or_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_server, "DEADLINE_S", 0.5)
    pages = {"/large": lambda: json_page("x" * (32 << 20))}
    with Endpoint(LOOPBACK, pages) as endpoint:
        stop = threading.Event()
        with client(endpoint.port) as slow, client(endpoint.port) as deaf:

            def drip() -> None:
                try:
                    while not stop.wait(0.05):
                        slow.sendall(b"x")
                except OSError:
                    stop.set()

            thread = threading.Thread(target=drip)
            thread.start()
            deaf.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            assert stop.wait(PATIENCE_S), "the one that drips is cut"
            thread.join()
            assert len(rest(deaf)) < 32 << 20


def test_an_answer_that_takes_long_holds_up_no_other() -> None:
    release = threading.Event()

    def slow() -> Page:
        release.wait(PATIENCE_S)
        return verdict([])

    with Endpoint(LOOPBACK, {**PAGES, "/slow": slow}) as endpoint, ExitStack() as stack:
        waiting = [stack.enter_context(client(endpoint.port)) for _ in range(MOST_ANSWERS - 1)]
        for one in waiting:
            one.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        assert get(endpoint.port, "/healthz") == 200
        last = stack.enter_context(client(endpoint.port))
        last.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        await_true(lambda: get(endpoint.port, "/healthz") == 503, "all answers under way")
        release.set()
        assert {status(rest(one)) for one in [*waiting, last]} == {200}
        await_true(lambda: get(endpoint.port, "/healthz") == 200, "room again")


def test_an_answer_that_fails_is_a_500_and_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> Page:
        raise ValueError("Bearer hunter2")

    log = start_logging("test")
    pages = {"/metrics": fail, "/half": lambda: metrics('name{x="\ud800"} 1\n')}
    with Endpoint(LOOPBACK, pages, log=log) as endpoint:
        assert [get(endpoint.port, "/metrics") for _ in range(3)] == [500] * 3
        assert say(endpoint.port, "GET /half HTTP/1.1").endswith(b'name{x="\\ud800"} 1\n')
    said = capfd.readouterr().err
    assert said.count("a request cannot be answered") == 1
    assert "hunter2" not in said


def test_without_descriptors_it_rests_and_goes_on(endpoint: Endpoint) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with client(endpoint.port) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert status(rest(one)) == 200
    waiting = socket.socket()
    highest = max(descriptors())
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(highest, soft), hard))
        with closing(waiting):
            taken = []
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                pass
            try:
                waiting.connect(("127.0.0.1", endpoint.port))
                used = os.times()
                threading.Event().wait(0.3)
                after = os.times()
                assert after.user + after.system - used.user - used.system < 0.2, "it spins"
            finally:
                # Others in this process may have taken what became free: room for all.
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for number in taken:
                    os.close(number)
            waiting.settimeout(PATIENCE_S)
            waiting.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
            assert status(rest(waiting)) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", ("192.0.2.1", "2001:db8::1", "no-such-name.invalid"))
def test_an_address_that_is_not_there_yet_keeps_nobody_from_the_main_job(
    host: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log = start_logging("test")
    again = Backoff(0.01, 0.02)
    with Endpoint(Address("", host, 9464), PAGES, log=log, again=again) as endpoint:
        said = ""

        def heard() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return "metrics cannot listen" in said

        await_true(heard, "the line")
        threading.Event().wait(0.1)
        assert not endpoint.listens
    said += capfd.readouterr().err
    assert said.count("\n") == 1
    assert "fix=" in said


def test_an_address_that_is_taken_is_had_once_it_is_free(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log = start_logging("test")
    again = Backoff(0.01, 0.02)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Address("", "127.0.0.1", other.getsockname()[1])
        endpoint = Endpoint(taken, PAGES, log=log, again=again)
        endpoint.__enter__()
    try:
        await_true(lambda: endpoint.listens, "the address")
        assert get(endpoint.port, "/healthz") == 200
    finally:
        endpoint.__exit__()
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert f'address={taken} why="Address already in use"' in lines[0]
    assert f"metrics url=http://{taken}/metrics" in lines[1]
