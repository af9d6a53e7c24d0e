"""What an agent keeps at a real broker beside its readings."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from deploy.local.services.mosquitto import Mosquitto
from isotherm.mqtt.status import SCHEMA
from isotherm.mqtt.topics import latest_topic, readings_topic, status_topic
from tests.edge_agent.support.brokers import Retained, running
from tests.edge_agent.support.subscriber import Subscriber
from tests.support import await_true, program, unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Mosquitto, tmp_path_factory.mktemp("broker")) as mosquitto:
        yield f"mqtt://127.0.0.1:{mosquitto.port}"


class _Agent:
    """Its name and its agent.toml."""

    def __init__(self, folder: Path, url: str) -> None:
        self.device = unique("status")
        self.file = folder / "agent.toml"
        self._url = url
        self.write("a")

    def write(self, *guids: str, mqtt: str = "", device: str = "") -> None:
        probes = "".join(
            f'[[probe]]\nguid = "{guid}"\ndriver = "simulated"\ninterval = "200ms"\n'
            for guid in guids
        )
        self.file.write_text(
            f'[device]\nid = "{self.device}"\nstate = "CA"\n{device}\n'
            f'[mqtt]\nurl = "{self._url}"\nhome_assistant = true\n{mqtt}\n'
            f"{probes}"
        )

    @property
    def command(self) -> tuple[str, ...]:
        return ("edge_agent", "run", "--config", str(self.file))


@pytest.fixture
def agent(tmp_path: Path, broker: str) -> _Agent:
    return _Agent(tmp_path, broker)


def test_a_birth_and_after_a_kill_the_will(agent: _Agent, broker: str) -> None:
    topic = status_topic(agent.device)
    with Retained(broker, topic) as kept:
        with program(*agent.command) as running_agent:
            birth = kept.await_json(topic, "online", value=True)
            running_agent.end(signal.SIGKILL)
        will = kept.await_json(topic, "online", value=False)
    assert birth["schema"] == SCHEMA
    assert [probe["guid"] for probe in birth["probes"]] == ["a"]
    assert (will["epoch"], will["life"]) == (birth["epoch"], birth["life"])
    # Who comes later finds it too.
    with Retained(broker, topic) as kept:
        kept.await_json(topic, "online", value=False)


def test_a_goodbye_has_the_last_count(agent: _Agent, broker: str) -> None:
    topic = status_topic(agent.device)
    with (
        Retained(broker, topic) as kept,
        Subscriber(broker, readings_topic(agent.device)) as readings,
        program(*agent.command) as running_agent,
    ):
        readings.wait(lambda payloads: len(payloads) >= 3)
        assert running_agent.end() == 0
        goodbye = kept.await_json(topic, "online", value=False)
    assert goodbye["outbox"]["rows"] == 0
    assert goodbye["probes"][0]["readings"] == sum(p.count(b"\n") + 1 for p in readings.payloads)


def test_home_assistant_finds_probes_and_their_values(agent: _Agent, broker: str) -> None:
    latest = latest_topic(agent.device)
    with Retained(broker, "#") as kept, program(*agent.command):
        await_true(lambda: "a" in kept.json(latest), "the latest temperature")
        (config,) = [
            kept.json(topic)
            for topic in kept.topics()
            if topic.startswith("homeassistant/") and agent.device in topic
        ]
        assert config["state_topic"] in kept.topics()
        assert config["availability_topic"] in kept.topics()


def test_sighup_takes_over_probes_and_keeps_the_connection(agent: _Agent, broker: str) -> None:
    topic, latest = status_topic(agent.device), latest_topic(agent.device)
    with Retained(broker, "#") as kept, program(*agent.command) as running_agent:
        birth = kept.await_json(topic, "online", value=True)
        agent.write("a", "b", mqtt="window = 7")
        running_agent.process.send_signal(signal.SIGHUP)
        assert "probes=2" in running_agent.await_line("configuration read again")
        assert "keys=mqtt.window" in running_agent.await_line("needs a restart")
        await_true(lambda: "b" in kept.json(latest), "the new probe's temperature")
        agent.write("a", device="destination = 5")
        running_agent.process.send_signal(signal.SIGHUP)
        assert "device.destination" in running_agent.await_line("the new configuration is refused")
        agent.write("b")
        running_agent.process.send_signal(signal.SIGHUP)
        assert "probes=1" in running_agent.await_line("configuration read again")
        await_true(lambda: "a" not in kept.json(latest), "the old probe to be gone")
        assert running_agent.end() == 0
        goodbye = kept.await_json(topic, "online", value=False)
        assert [probe["guid"] for probe in goodbye["probes"]] == ["b"]
        assert goodbye["epoch"] == birth["epoch"]
        assert len([line for line in running_agent.lines if " connected " in line]) == 1
        configs = [name for name in kept.topics() if name.startswith("homeassistant/")]
        assert [name.rsplit("-", 1)[1] for name in configs if agent.device in name] == ["b/config"]
