"""The ways to a broker: WebSockets, with TLS and without, through a proxy, with MQTT 3.1.1."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple, Self

import pytest

from deploy.local.ports import LOOPBACK
from deploy.local.services.mosquitto import Mosquitto
from tests.edge_agent.support.brokers import running
from tests.edge_agent.support.connect_proxy import ConnectProxy
from tests.edge_agent.support.odd_brokers import Board, seqs
from tests.edge_agent.support.outbox_bench import Bench
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import program
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("own_config")]

PROBES = 3


class _Webby(Mosquitto):
    """Listeners: plain; WebSockets; WebSockets over TLS; plain with QoS 0 at most."""

    usual_ports = (0, 0, 0)

    def configure(self, *ports: int) -> None:
        super().configure(*ports)
        self.listeners = dict(zip(("plain", "ws", "wss"), ports, strict=True))
        server = self.folder.parent / "server.pem"
        with self._config.open("a", encoding="utf-8") as config:
            config.write(f"\nlistener {ports[1]} {LOOPBACK}\nprotocol websockets\n")
            config.write(f"\nlistener {ports[2]} {LOOPBACK}\nprotocol websockets\n")
            config.write(f"certfile {server}\nkeyfile {server}\n")


class _Broker(NamedTuple):
    folder: Path
    listeners: dict[str, int]

    @property
    def plain(self) -> str:
        return f"mqtt://{LOOPBACK}:{self.listeners['plain']}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Broker]:
    folder = tmp_path_factory.mktemp("ways")
    Authority(folder, "ca").issue("server", LOOPBACK, "localhost")
    with running(_Webby, folder) as found:
        assert isinstance(found, _Webby)
        yield _Broker(folder, found.listeners)


def _flows(broker: _Broker, board: Board, *, backlog: int = 0) -> list[str]:
    """Readings come, each number of each probe; the lines of the agent."""
    if backlog:
        bench = Bench(board.outbox)
        bench.put(*(f"g{number}" for number in range(PROBES)), ticks=backlog // PROBES)
        bench.commit()
        bench.close()
    with (
        Subscriber(broker.plain, board.topic) as subscriber,
        program(*board.run) as agent,
    ):

        def complete(payloads: list[bytes]) -> bool:
            found = seqs(payloads)
            many = sum(map(len, map(set, found.values()))) >= backlog + 10 * PROBES
            return many and all(
                set(numbers) == set(range(1, max(numbers) + 1)) for numbers in found.values()
            )

        subscriber.wait(complete, 40)
        assert agent.end(signal.SIGTERM) == 0
    assert "refused=0" in agent.lines[-1]
    return agent.lines


@pytest.mark.parametrize("path", ("", "/mqtt", "/a/b"))
def test_readings_go_over_websockets(broker: _Broker, tmp_path: Path, path: str) -> None:
    url = f"ws://{LOOPBACK}:{broker.listeners['ws']}{path}"
    board = Board(tmp_path, url, probes=PROBES)
    # Packets of 64 KiB, more of them than a socket takes at once.
    _flows(broker, board, backlog=6_000)


def test_readings_go_over_websockets_with_tls(broker: _Broker, tmp_path: Path) -> None:
    url = f"wss://{LOOPBACK}:{broker.listeners['wss']}/mqtt"
    authority = f'ca_file = "{broker.folder / "ca.pem"}"'
    _flows(broker, Board(tmp_path, url, probes=PROBES, more=authority), backlog=3_000)


def test_a_plain_broker_in_place_of_websockets_is_said(broker: _Broker, tmp_path: Path) -> None:
    url = f"ws://{LOOPBACK}:{broker.listeners['plain']}/mqtt"
    with program(*Board(tmp_path, url, probes=1).run) as agent:
        assert "WebSocket handshake error" in agent.await_line("no broker", 20)
        assert agent.end() == 0


@pytest.mark.parametrize("scheme", ("mqtt", "wss"))
def test_readings_go_through_a_proxy(broker: _Broker, tmp_path: Path, scheme: str) -> None:
    port = broker.listeners["plain" if scheme == "mqtt" else scheme]
    more = "" if scheme == "mqtt" else f'\nca_file = "{broker.folder / "ca.pem"}"'
    with ConnectProxy() as proxy:
        setting = f'proxy = "http://{LOOPBACK}:{proxy.port}"{more}'
        _flows(broker, Board(tmp_path, f"{scheme}://{LOOPBACK}:{port}", probes=2, more=setting))
    assert set(proxy.asked) == {f"{LOOPBACK}:{port}"}


def test_the_environment_may_name_the_proxy(
    broker: _Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("mqtt_proxy", f"http://{LOOPBACK}:{proxy.port}")
        _flows(broker, Board(tmp_path, broker.plain, probes=1))
    assert proxy.asked


def test_a_proxy_that_refuses_is_said(broker: _Broker, tmp_path: Path) -> None:
    with ConnectProxy() as proxy:
        proxy.refuses = True
        setting = f'proxy = "http://{LOOPBACK}:{proxy.port}"'
        with program(*Board(tmp_path, broker.plain, probes=1, more=setting).run) as agent:
            assert "403" in agent.await_line("no broker", 20)
            assert agent.end() == 0


def test_readings_go_with_mqtt_3_1_1(broker: _Broker, tmp_path: Path) -> None:
    board = Board(tmp_path, broker.plain, probes=PROBES, more='version = "3.1.1"')
    lines = _flows(broker, board, backlog=3_000)
    assert len([line for line in lines if "it speaks MQTT 3.1.1" in line]) == 1


class _OldOnly:
    """A relay to a broker that refuses MQTT 5 as brokers do that do not know it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.refused = 0
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            first = client.recv(65_536)
            # OASIS MQTT 3.1.1, section 3.1.2.2: the byte behind the protocol's name.
            if first[first.index(b"MQTT") + 4] != 4:
                self.refused += 1
                client.sendall(b"\x20\x02\0\x01")
                return
            with socket.create_connection((LOOPBACK, self._to)) as broker:
                broker.sendall(first)
                threading.Thread(target=_pass, args=(broker, client), daemon=True).start()
                _pass(client, broker)


def _pass(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


def test_a_broker_without_mqtt_5_gets_3_1_1(broker: _Broker, tmp_path: Path) -> None:
    with _OldOnly(broker.listeners["plain"]) as old:
        board = Board(tmp_path, f"mqtt://{LOOPBACK}:{old.port}", probes=PROBES)
        lines = _flows(broker, board)
    assert old.refused == 1
    assert not [line for line in lines if "no broker" in line]
    assert len([line for line in lines if "it speaks MQTT 3.1.1" in line]) == 1


def test_a_broker_without_mqtt_5_is_said_where_5_is_wanted(broker: _Broker, tmp_path: Path) -> None:
    with _OldOnly(broker.listeners["plain"]) as old:
        url = f"mqtt://{LOOPBACK}:{old.port}"
        with program(*Board(tmp_path, url, probes=1, more='version = "5"').run) as agent:
            assert "it does not speak MQTT v5" in agent.await_line("no broker", 20)
            assert agent.end() == 0
