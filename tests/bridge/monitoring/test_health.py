from __future__ import annotations

import socket
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bridge.monitoring.health import Reach, missing, stuck
from bridge.monitoring.http import observed, pages
from bridge.settings import PREFIX, BridgeSettings
from isotherm.http.endpoint import Endpoint
from isotherm.log import Log
from isotherm.settings.address import Address
from isotherm.settings.table import load
from isotherm.tasks import Tasks
from tests.bridge.monitoring.vitals import vitals
from tests.support import await_true

if TYPE_CHECKING:
    from bridge.monitoring.health import Vitals

LOOPBACK = Address("", "127.0.0.1", 0)


def test_a_service_that_is_away_is_no_reason_to_start_again() -> None:
    lanes = [vitals(subscribed=False, kafka=False)]
    assert stuck(lanes) == []
    assert len(missing(lanes, kafka=False)) == 2


def test_what_is_missing_is_named_with_its_lane() -> None:
    lanes = [vitals(), vitals(client_id="c", subscribed=False), vitals(client_id="d")]
    assert missing(lanes, kafka=True) == ["not subscribed at the MQTT broker: c"]
    assert missing([vitals(kafka=False)], kafka=True)[0].startswith("Kafka does not take")
    assert stuck([vitals(), vitals(client_id="c", pumping=False)]) == [
        "the pump's thread of c has ended"
    ]


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_endpoint_answers_for_the_moment() -> None:
    lanes: list[Vitals] = [vitals()]
    with Endpoint(LOOPBACK, pages(lambda: lanes, lambda: True, Tasks(Log("test")))) as endpoint:
        assert get(endpoint.port, "/healthz") == (200, "ok\n")
        assert get(endpoint.port, "/readyz?verbose") == (200, "ok\n")
        assert "isotherm_bridge_ready 1.0\n" in get(endpoint.port, "/metrics")[1]
        assert get(endpoint.port, "/")[0] == 404
        lanes[0] = vitals(pumping=False)
        assert get(endpoint.port, "/healthz") == (503, "the pump's thread of b has ended\n")
        assert get(endpoint.port, "/readyz")[0] == 503


def test_a_client_that_asks_nothing_keeps_nobody_waiting() -> None:
    with (
        Endpoint(LOOPBACK, pages(lambda: [vitals()], lambda: True, Tasks(Log("test")))) as endpoint,
        socket.create_connection(("127.0.0.1", endpoint.port)),
    ):
        assert get(endpoint.port, "/healthz")[0] == 200


def test_a_filter_that_is_not_granted_or_a_task_that_ended_is_not_ready() -> None:
    lane = vitals(faults=("the MQTT broker grants only QoS 0 for a/#",))
    assert missing([lane, vitals()], kafka=True, tasks=["the task x has ended"]) == [
        "the task x has ended",
        "b: the MQTT broker grants only QoS 0 for a/#",
    ]
    assert stuck([lane]) == []


def test_an_address_that_is_not_there_yet_keeps_nothing_from_running() -> None:
    log = Log("test")
    tasks = Tasks(log)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = load(BridgeSettings, PREFIX, flags={"metrics": f"127.0.0.1:{port}"})
        with ExitStack() as running:
            running.enter_context(observed(settings, lambda: [vitals()], log, tasks))
            # Taken: whoever asks gets no answer of ours.
            other.settimeout(0.2)
            other.close()
            await_true(lambda: answers(port), "the address to be had")
            assert get(port, "/healthz") == (200, "ok\n")
    assert not answers(port)
    assert tasks.faults() == []


def answers(port: int) -> bool:
    try:
        return get(port, "/healthz")[0] == 200
    except OSError:
        return False


def test_reach_keeps_a_fresh_answer_and_knocks_again_later() -> None:
    now = 0.0
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reach = Reach([Address("", "127.0.0.1", 1), Address("", "127.0.0.1", port)], lambda: now)
        assert reach()
    assert reach()
    now = 3.0
    assert not reach()
