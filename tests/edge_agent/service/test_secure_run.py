"""The agent and a broker that demands certificates."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.brokers import running
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import ROOT, program, unique
from tests.support.certificates import Authority
from tests.support.secure_brokers import SecureMosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


class _Secure(NamedTuple):
    folder: Path
    broker: SecureMosquitto

    def url(self, listener: str) -> str:
        return f"mqtts://127.0.0.1:{self.broker.listeners[listener]}"

    @property
    def plain(self) -> str:
        return f"mqtt://127.0.0.1:{self.broker.listeners['plain']}"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Secure]:
    folder = tmp_path_factory.mktemp("secure")
    authority = Authority(folder, "ca")
    Authority(folder, "stranger")
    authority.issue("server", "127.0.0.1", "localhost")
    authority.issue("elsewhere", "broker.example.org")
    authority.issue("client")
    with running(SecureMosquitto, folder) as broker:
        assert isinstance(broker, SecureMosquitto)
        yield _Secure(folder, broker)


def _config(folder: Path, **mqtt: object) -> tuple[str, str]:
    """The device's name, and its agent.toml."""
    device = unique("secure")
    lines = ["[mqtt]", *(f"{key} = {json.dumps(str(value))}" for key, value in mqtt.items())]
    probe = f'[[probe]]\nguid = "{device}"\ndriver = "simulated"\ninterval = "200ms"\n'
    file = folder / "agent.toml"
    head = f'[device]\nid = "{device}"\nstate = "CA"\n'
    file.write_text(head + "\n".join(lines) + "\n" + probe)
    return device, str(file)


def _flows(secure: _Secure, folder: Path, **mqtt: object) -> None:
    device, config = _config(folder, **mqtt)
    with (
        Subscriber(secure.plain, readings_topic(device)) as readings,
        program("edge_agent", "run", "--config", config) as agent,
    ):
        readings.wait(lambda payloads: len(payloads) >= 3)
        assert agent.end() == 0


def test_readings_go_over_tls(secure: _Secure, tmp_path: Path) -> None:
    _flows(secure, tmp_path, url=secure.url("tls"), ca_file=secure.folder / "ca.pem")


def test_readings_go_over_mutual_tls(secure: _Secure, tmp_path: Path) -> None:
    client = secure.folder / "client.pem"
    _flows(
        secure,
        tmp_path,
        url=secure.url("mutual"),
        ca_file=secure.folder / "ca.pem",
        cert_file=client,
        key_file=client,
    )


@pytest.mark.parametrize(
    ("listener", "ca", "words"),
    (
        ("tls", "stranger.pem", "not signed by an authority in mqtt.ca_file"),
        ("elsewhere", "ca.pem", "for another host name"),
        ("mutual", "ca.pem", "wants a client certificate"),
        ("plain", "ca.pem", "does it speak TLS"),
    ),
)
def test_a_refusal_is_said_once_with_the_setting_and_tried_again(
    secure: _Secure, tmp_path: Path, listener: str, ca: str, words: str
) -> None:
    url = secure.url(listener)
    _, config = _config(tmp_path, url=url, ca_file=secure.folder / ca)
    with program("edge_agent", "run", "--config", config) as agent:
        assert words in agent.await_line("no broker")
        with pytest.raises(AssertionError, match="no line with"):
            agent.await_line("no broker", timeout=2)
        assert agent.end() == 0
        assert not [line for line in agent.lines if "Traceback" in line]


@pytest.mark.parametrize(
    ("listener", "ca", "words"),
    (
        ("tls", "stranger.pem", "not signed by an authority in mqtt.ca_file"),
        ("elsewhere", "ca.pem", "for another host name"),
        ("mutual", "ca.pem", "wants a client certificate"),
        ("plain", "ca.pem", "does it speak TLS"),
        ("tls", "ca.pem", "lets us in"),
    ),
)
def test_the_doctor_says_the_same(
    secure: _Secure, tmp_path: Path, listener: str, ca: str, words: str
) -> None:
    url = secure.url(listener)
    _, config = _config(tmp_path, url=url, ca_file=secure.folder / ca)
    command = [sys.executable, "-m", "edge_agent", "doctor", "--config", config]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    (line,) = [line for line in done.stdout.splitlines() if line[5:].startswith("mqtt ")]
    assert words in line
    assert done.returncode == (0 if words == "lets us in" else 3), done.stdout


def test_a_plain_agent_at_a_tls_port_is_told_so(secure: _Secure, tmp_path: Path) -> None:
    _, config = _config(tmp_path, url=secure.url("tls").replace("mqtts", "mqtt"))
    with program("edge_agent", "run", "--config", config) as agent:
        assert "is it a TLS port" in agent.await_line("no broker")
        assert agent.end() == 0
