"""What mosquitto and Kafka have in common, with a service that starts at once."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

import pytest

from deploy.errors import PortTakenError, ServiceFailedError
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.process import Guard
from deploy.local.services.base import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LISTEN = """
import socket, sys, time
try:
    servers = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
except OSError as error:
    sys.exit(f"bind: {error.strerror}")
time.sleep(600)
"""


class Listener(Service):
    name: ClassVar[str] = "listener"
    usual_ports: ClassVar[tuple[int, ...]] = (free_port(), free_port())
    patience: ClassVar[float] = 10.0
    code = LISTEN
    before_start: Callable[..., object] = staticmethod(lambda *_: None)

    def prepare(self) -> None: ...

    def configure(self, *ports: int) -> None:
        self.given = ports
        self.before_start(*ports)

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self.code, *map(str, self.given)]

    def answers(self) -> bool:
        return True

    def when_ready(self) -> None: ...


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[int | None], Listener]]:
    with ExitStack() as stack:

        def make(port: int | None) -> Listener:
            guard = Guard()
            stack.callback(guard.close)
            listener = Listener(tmp_path, guard, port)
            stack.callback(listener.stop, kill=True)
            return listener

        yield make


def test_usual_port_is_taken_and_kept_over_a_restart(
    make: Callable[[int | None], Listener],
) -> None:
    listener = make(None)
    listener.launch()
    listener.wait_ready()
    assert listener.port == Listener.usual_ports[0]
    listener.stop()
    listener.launch()
    listener.wait_ready(may_move=False)
    assert listener.port == Listener.usual_ports[0]


def test_who_loses_the_race_for_a_port_takes_another(
    make: Callable[[int | None], Listener],
) -> None:
    with ExitStack() as thieves:
        listener = make(None)

        def steal(port: int, _internal: int) -> None:
            if port == Listener.usual_ports[0]:
                thieves.enter_context(socket.create_server((LOOPBACK, port)))

        listener.before_start = steal
        listener.launch()
        listener.wait_ready()
        assert listener.port != Listener.usual_ports[0]


def test_losing_an_internal_port_does_not_move_the_port_that_was_asked_for(
    make: Callable[[int | None], Listener],
) -> None:
    with ExitStack() as thieves:
        asked = free_port()
        listener = make(asked)

        def steal(_port: int, internal: int) -> None:
            if internal == Listener.usual_ports[1]:
                thieves.enter_context(socket.create_server((LOOPBACK, internal)))

        listener.before_start = steal
        listener.launch()
        listener.wait_ready()
        assert listener.given[0] == asked
        assert listener.given[1] != Listener.usual_ports[1]


def test_losing_the_port_that_was_asked_for_is_told(
    make: Callable[[int | None], Listener],
) -> None:
    with ExitStack() as thieves:
        listener = make(free_port())
        listener.before_start = lambda port, _: thieves.enter_context(
            socket.create_server((LOOPBACK, port))
        )
        listener.launch()
        with pytest.raises(PortTakenError):
            listener.wait_ready()


def test_asked_port_that_is_taken_is_refused(make: Callable[[int | None], Listener]) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        listener = make(other.getsockname()[1])
        with pytest.raises(PortTakenError, match="for listener is taken"):
            listener.launch()


def test_death_at_start_is_told_with_the_log(make: Callable[[int | None], Listener]) -> None:
    listener = make(None)
    listener.code = "import sys; sys.exit('no such luck')"
    listener.launch()
    with pytest.raises(ServiceFailedError, match=r"did not start: exit code 1[^$]*no such luck"):
        listener.wait_ready()
    assert listener.child is None


def test_service_that_runs_but_does_not_answer_is_told(
    make: Callable[[int | None], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Listener, "patience", 0.2)
    listener = make(None)
    listener.code = "import time; time.sleep(600)"
    listener.launch()
    with pytest.raises(ServiceFailedError, match=r"did not start: no answer in 0 s"):
        listener.wait_ready()
