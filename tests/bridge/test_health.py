from __future__ import annotations

import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from bridge.endpoint import pages
from bridge.health import Reach, missing, stuck
from contract.address import Address
from contract.endpoint import Endpoint
from tests.bridge.vitals import vitals

if TYPE_CHECKING:
    from bridge.health import Vitals

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
    with Endpoint(LOOPBACK, pages(lambda: lanes, lambda: True)) as endpoint:
        assert get(endpoint.port, "/healthz") == (200, "ok\n")
        assert get(endpoint.port, "/readyz?verbose") == (200, "ok\n")
        assert "isotherm_bridge_ready 1\n" in get(endpoint.port, "/metrics")[1]
        assert get(endpoint.port, "/")[0] == 404
        lanes[0] = vitals(pumping=False)
        assert get(endpoint.port, "/healthz") == (503, "the pump's thread of b has ended\n")
        assert get(endpoint.port, "/readyz")[0] == 503


def test_a_client_that_asks_nothing_keeps_nobody_waiting() -> None:
    with (
        Endpoint(LOOPBACK, pages(lambda: [vitals()], lambda: True)) as endpoint,
        socket.create_connection(("127.0.0.1", endpoint.port)),
    ):
        assert get(endpoint.port, "/healthz")[0] == 200


def test_reach_keeps_a_fresh_answer_and_knocks_again_later() -> None:
    now = 0.0
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reach = Reach([Address("", "127.0.0.1", 1), Address("", "127.0.0.1", port)], lambda: now)
        assert reach()
    assert reach()
    now = 3.0
    assert not reach()
