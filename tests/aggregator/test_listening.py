from __future__ import annotations

import logging
import random
import socket
from typing import TYPE_CHECKING

from aggregator.listening import Listener
from contract.address import Address, listen_address
from contract.backoff import Backoff
from contract.endpoint import verdict
from contract.log import Log
from contract.tasks import Tasks
from tests.bridge.test_health import get
from tests.support import await_true

if TYPE_CHECKING:
    import pytest

PAGES = {"/healthz": lambda: verdict([])}


def listener(address: Address, tasks: Tasks) -> Listener:
    quick = Backoff(first=0.01, longest=0.05, draw=random.Random(0))
    return Listener(address, PAGES, tasks=tasks, log=Log("test"), backoff=quick)


def test_an_address_that_is_there_is_listened_at_at_once() -> None:
    with listener(Address("http", "127.0.0.1", 0), Tasks(Log("test"))) as found:
        assert found.port is not None
        assert get(found.port, "/healthz") == (200, "ok\n")


def test_an_address_that_is_taken_is_waited_for_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = Tasks(Log("test"))
    with socket.create_server(("127.0.0.1", 0)) as server, caplog.at_level(logging.INFO):
        port = server.getsockname()[1]
        with listener(listen_address(f"127.0.0.1:{port}"), tasks) as found:
            assert found.port is None
            server.close()
            await_true(lambda: found.port == port, "the address")
            assert get(port, "/healthz") == (200, "ok\n")
            assert tasks.faults() == []
    said = [record.message for record in caplog.records]
    assert said == ["metrics wait for their address; counting does not", "metrics listen"]


def test_one_that_never_comes_keeps_nothing_from_ending() -> None:
    # TEST-NET-1 of RFC 5737: no machine has it.
    tasks = Tasks(Log("test"))
    with listener(listen_address("192.0.2.1:9"), tasks) as found:
        assert found.port is None
    assert (tasks.ends, tasks.faults()) == (0, [])
