"""The real `isotherm-dashboard`, asked over real sockets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from dashboard.web.auth import COOKIE, HEADERS
from deploy.local.ports import free_port
from tests.dashboard.support.fleet import append, snapshot
from tests.dashboard.support.server import Dashboard, dashboard
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.lowest]

TOKEN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    file = tmp_path_factory.mktemp("served") / "s.jsonl"
    append(file, snapshot(1, ago=20), snapshot(2))
    with dashboard(file, "--stale-after", "10m") as one:
        await_true(lambda: get(one, "/readyz")[0] == 200, "its first snapshot")
        yield one


def get(place: Dashboard, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    with closing(http.client.HTTPConnection(place.address, timeout=20)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


class Events:
    """A stream that is being read."""

    def __init__(self, place: Dashboard, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(place.address, timeout=30)
        self._connection.request("GET", "/events", headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200

    def next(self) -> dict[str, str]:
        """The next event, comments passed over; empty at the end."""
        found: dict[str, str] = {}
        while line := self._answer.readline().decode():
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    found[name] = value
            elif found:
                return found
        return found

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


def batch(event: dict[str, str]) -> int:
    number: int = json.loads(event["data"])["snapshot"]["batch_id"]
    return number


def test_every_answer_is_as_its_description_says(served: Dashboard) -> None:
    status, _, body = get(served, "/api/openapi.json")
    assert status == 200
    described = json.loads(body)
    schemas = described["components"]["schemas"]
    asked = {
        "/api/snapshot": "/api/snapshot",
        "/api/history": "/api/history?minutes=5",
        "/api/sensors/{state}": "/api/sensors/CA",
        "/api/alerts": "/api/alerts",
        "/metrics": "/metrics",
        "/healthz": "/healthz",
        "/readyz": "/readyz",
    }
    assert set(described["paths"]) == {*asked, "/events"}
    for path, url in asked.items():
        status, headers, body = get(served, url)
        answer = described["paths"][path]["get"]["responses"][str(status)]
        (kind,) = answer["content"]
        assert headers.get_content_type() == kind
        schema = answer["content"][kind]["schema"]
        if kind == "application/json":
            jsonschema.validate(json.loads(body), inlined(schema, schemas))


def inlined(schema: Any, schemas: dict[str, Any]) -> Any:
    """With references to the components replaced by what they name."""
    if isinstance(schema, dict):
        place, _, name = str(schema.get("$ref", "")).rpartition("/")
        if place == "#/components/schemas":
            return inlined(schemas[name], schemas)
        return {key: inlined(value, schemas) for key, value in schema.items()}
    return [inlined(value, schemas) for value in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(
    ("path", "status", "word"),
    (
        ("/api/history?minutes=61", 400, "1 to 60"),
        ("/api/history?minutes=x", 400, "1 to 60"),
        ("/api/sensors/ca", 404, "51 states"),
        ("/api/sensors/CA?limit=0", 400, "1 to 200"),
        ("/api/sensors/CA", 503, "--job http://HOST:PORT"),
    ),
)
def test_what_cannot_be_answered_is_said(
    served: Dashboard, path: str, status: int, word: str
) -> None:
    found, _, body = get(served, path)
    assert (found, word in json.loads(body)["error"]) == (status, True)


@pytest.mark.parametrize("path", ("/", "/static/main.js", "/api/snapshot", "/nothing", "/events"))
def test_no_answer_goes_without_the_headers_that_protect_it(served: Dashboard, path: str) -> None:
    with closing(http.client.HTTPConnection(served.address, timeout=20)) as connection:
        connection.request("GET", path)
        headers = connection.getresponse().headers
        for name, value in HEADERS:
            assert headers.get_all(name.decode()) == [value.decode()]


def test_nothing_outside_the_assets_is_given_away(served: Dashboard) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
        assert get(served, path)[0] == 404


def test_a_copy_that_is_still_good_is_not_sent_again(served: Dashboard) -> None:
    _, headers, _ = get(served, "/static/main.js")
    status, _, body = get(served, "/static/main.js", **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")


def test_another_name_that_points_here_is_refused(served: Dashboard) -> None:
    assert get(served, "/api/snapshot", Host="evil.example:8787")[0] == 421
    for name in ("localhost:1", "127.1.2.3:1", "[::1]:1"):
        assert get(served, "/api/snapshot", Host=name)[0] == 200


def test_a_stream_lives_and_resumes_over_a_restart_of_the_server(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1))
    with dashboard(file) as one:
        stream = Events(one)
        event = stream.next()
        while "id" not in event:
            event = stream.next()
        assert batch(event) == 1
        append(file, snapshot(2))
        second = stream.next()
        assert batch(second) == 2
        one.stop()
        assert stream.next() == {}
        stream.close()
        append(file, snapshot(3), snapshot(4))
        one.start()
        await_true(lambda: current(one) == 4, "all of the file")
        stream = Events(one, **{"Last-Event-ID": second["id"]})
        assert [batch(stream.next()), batch(stream.next())] == [3, 4]
        stream.close()


def current(place: Dashboard) -> int:
    found = json.loads(get(place, "/api/snapshot")[2])["snapshot"]
    return -1 if found is None else int(found["batch_id"])


def test_a_hundred_streams_get_each_snapshot_and_end_with_the_server(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1))
    with dashboard(file) as one:
        await_true(lambda: current(one) == 1, "the first")
        streams = [Events(one) for _ in range(100)]
        assert {batch(stream.next()) for stream in streams} == {1}
        append(file, snapshot(2))
        assert {batch(stream.next()) for stream in streams} == {2}
        _, _, body = get(one, "/metrics")
        assert b"isotherm_dashboard_streams 100.0\n" in body
        one.stop()
        assert {tuple(stream.next()) for stream in streams} == {()}
        for stream in streams:
            stream.close()


def test_who_does_not_know_the_token_sees_nothing(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1))
    secret = tmp_path / "token"
    secret.write_text(TOKEN + "\n")
    with dashboard(file, "--token-file", str(secret)) as one:
        for path in ("/", "/api/snapshot", "/events", "/metrics", "/static/main.js"):
            status, headers, body = get(one, path)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert b"token" in body
        assert get(one, "/?token=wrong")[0] == 401
        assert get(one, "/healthz")[0] == 200
        status, headers, _ = get(one, f"/?token={TOKEN}")
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert cookie == f"{COOKIE}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
        assert get(one, "/", Cookie=cookie.partition(";")[0])[0] == 200
        assert get(one, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        # By whatever name the page is known there.
        assert get(one, "/", Host="page.example", Authorization=f"Bearer {TOKEN}")[0] == 200


@contextmanager
def a_job(body: bytes, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """The HTTP side of a job."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_sensors_of_a_state_come_from_the_job(tmp_path: Path) -> None:
    sensors = [{"guid": f"s{number}"} for number in range(5)]
    body = json.dumps({"state": "CA", "total": 9, "sensors": sensors}).encode()
    with a_job(body) as (url, asked), dashboard(tmp_path / "s", "--job", url) as one:
        status, _, found = get(one, "/api/sensors/CA?limit=3")
        assert status == 200
        assert json.loads(found) == {"state": "CA", "total": 9, "sensors": sensors[:3]}
        assert asked == ["/sensors/CA"]
    gone = f"http://127.0.0.1:{free_port()}"
    with dashboard(tmp_path / "s", "--job", gone) as one:
        status, _, found = get(one, "/api/sensors/CA")
        assert status == 503
        assert f"the job at {gone} (--job) does not answer" in json.loads(found)["error"]


def test_it_ends_with_0_and_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("isotherm-dashboard")
    words: list[str | Path] = [program, "run", "--snapshots", tmp_path / "s"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*words, "--listen", place], check=False, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2
    assert f"--listen {place}: Address already in use; choose another" in done.stderr
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(
            [*words, "--listen", f"127.0.0.1:{free_port()}"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ},
        ) as process:
            assert process.stderr is not None
            assert "serving" in process.stderr.readline()
            process.send_signal(number)
            assert process.wait(20) == 0
            assert "stopped" in process.stderr.read()
