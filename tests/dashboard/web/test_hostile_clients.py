"""The real page under clients that do not ask, do not read, or are pages of somebody else."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from dashboard.web.app import MOST_STREAMS
from dashboard.web.connections import MOST
from tests.dashboard.support.fleet import append, snapshot
from tests.dashboard.support.server import Dashboard, dashboard
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    file = tmp_path_factory.mktemp("served") / "s.jsonl"
    append(file, snapshot(1))
    with dashboard(file, "--stale-after", "10m") as one:
        await_true(lambda: status(one, "/readyz") == 200, "its first snapshot")
        yield one


def status(place: Dashboard, path: str, method: str = "GET", **headers: str) -> int:
    return asked(place, path, method, **headers)[0]


def asked(
    place: Dashboard, path: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage]:
    with closing(http.client.HTTPConnection(place.address, timeout=20)) as connection:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=said)
        answer = connection.getresponse()
        return answer.status, answer.headers


def client(place: Dashboard) -> socket.socket:
    host, _, port = place.address.partition(":")
    return socket.create_connection((host, int(port)), 60)


def metric(place: Dashboard, name: str) -> float:
    with closing(http.client.HTTPConnection(place.address, timeout=20)) as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    (value,) = [
        line.split()[1]
        for line in text.splitlines()
        if line.startswith(f"isotherm_dashboard_{name} ")
    ]
    return float(value)


@pytest.mark.parametrize(
    "minutes",
    (
        "000000060100000",
        "9" * 5_000,
        "0",
        "00",
        "-1",
        "1e1",
        "%D9%A3",
        "%EF%BF%BF",
        "%ED%A0%80",
        "%00",
        "",
        "1&minutes=61",
    ),
)
def test_minutes_are_measured_before_they_are_converted(served: Dashboard, minutes: str) -> None:
    assert status(served, f"/api/history?minutes={minutes}") == 400


@pytest.mark.parametrize("path", ("/api/history?minutes=060", "/api/history?minutes=1"))
def test_minutes_in_bounds_are_answered(served: Dashboard, path: str) -> None:
    assert status(served, path) == 200


@pytest.mark.parametrize(
    "path",
    (
        "/api/sensors/CA?limit=000000000200000000",
        "/api/sensors/CA?limit=" + "9" * 5_000,
        "/api/sensors/CA?limit=%F0%9D%9F%97",
    ),
)
def test_every_number_has_a_bound(served: Dashboard, path: str) -> None:
    assert status(served, path) == 400


@pytest.mark.parametrize(
    "path",
    (
        "/static/main.js/",
        "/static//main.js",
        "/static/./main.js",
        "/static/x/../main.js",
        "/static/main.js%00",
        "/static/main.js%2f",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/",
        "/static",
        "/static/%ff",
        "/api/snapshot/",
        "//",
        "/%ff",
    ),
)
def test_a_file_has_one_name(served: Dashboard, path: str) -> None:
    assert status(served, path) == 404


@pytest.mark.parametrize("path", ("/events", "/api/snapshot", "/api/alerts", "/", "/metrics"))
@pytest.mark.parametrize("method", ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"))
def test_nothing_but_get_and_head_is_answered(served: Dashboard, path: str, method: str) -> None:
    found, headers = asked(served, path, method)
    assert found == 405
    assert {"GET", "HEAD"} <= set(headers["Allow"].replace(" ", "").split(","))


def test_the_head_of_a_stream_has_an_end(served: Dashboard) -> None:
    found, headers = asked(served, "/events", "HEAD")
    assert (found, headers.get_content_type()) == (200, "text/event-stream")
    assert metric(served, "streams") == 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    (
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"}, 403),
        ({"Origin": "http://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}, 200),
        ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, 200),
        ({}, 200),
        ({"Host": "evil.example.com"}, 421),
        ({"Host": "localhost.evil.example.com:8787"}, 421),
        ({"Host": "[::1]:8787"}, 200),
    ),
)
def test_a_page_of_somebody_else_gets_nothing_from_loopback(
    served: Dashboard, headers: dict[str, str], expected: int
) -> None:
    assert status(served, "/api/history?minutes=60", **headers) == expected


def test_a_link_from_another_site_leads_to_the_page_alone(served: Dashboard) -> None:
    link = {
        "Sec_Fetch_Site": "cross-site",
        "Sec_Fetch_Mode": "navigate",
        "Sec_Fetch_Dest": "document",
    }
    assert status(served, "/", **link) == 200
    assert status(served, "/events", **link) == 403
    assert status(served, "/", **link | {"Sec_Fetch_Dest": "iframe"}) == 403


def test_half_open_requests_keep_nobody_from_the_page(served: Dashboard) -> None:
    cut = metric(served, "connections_cut_total")
    with ExitStack() as stack:
        for number in range(MOST + 44):
            one = stack.enter_context(client(served))
            one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" if number % 2 else b"")
        for path in ("/", "/static/main.js", "/api/snapshot", "/healthz"):
            assert status(served, path) == 200
        assert metric(served, "connections") <= MOST
    await_true(lambda: metric(served, "connections") < 5, "the others to be gone")
    assert metric(served, "connections_cut_total") >= cut + 44


def test_who_asks_slowly_or_asks_no_more_is_cut(served: Dashboard) -> None:
    with client(served) as slow, client(served) as kept, client(served) as body:
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(4096).startswith(b"HTTP/1.1 200")
        # Its next request never has an end.
        kept.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
        body.sendall(head)
        gone = 0

        def dripping() -> bool:
            nonlocal gone
            gone = sum(not drips(one) for one in (slow, kept, body))
            return gone == 3

        await_true(dripping, "all three to be cut", timeout=45)


def drips(one: socket.socket) -> bool:
    """Send one more byte; whether the other side is still there."""
    try:
        one.sendall(b"x")
        one.setblocking(False)
        while one.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        one.setblocking(True)
    return False


def test_streams_are_capped_and_the_next_is_told_why(served: Dashboard) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_STREAMS):
            one = stack.enter_context(client(served))
            one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await_true(lambda: metric(served, "streams") == MOST_STREAMS, "all streams")
        with closing(http.client.HTTPConnection(served.address, timeout=20)) as connection:
            connection.request("GET", "/events")
            answer = connection.getresponse()
            assert answer.status == 503
            assert "pages are open" in json.loads(answer.read())["error"]
        assert status(served, "/") == 200
    await_true(lambda: metric(served, "streams") == 0, "the streams to be gone")


def test_who_does_not_read_is_cut_and_holds_nothing(served: Dashboard) -> None:
    cut = metric(served, "connections_cut_total")
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        host, _, port = served.address.partition(":")
        deaf.connect((host, int(port)))
        # One connection may ask as often as it likes: what it does not read is not made.
        deaf.setblocking(False)
        request = b"GET /api/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try:
            while True:
                deaf.send(request * 100)
        except OSError:
            pass
        await_true(
            lambda: metric(served, "connections_cut_total") > cut, "it to be cut", timeout=90
        )
