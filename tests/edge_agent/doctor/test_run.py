"""`isotherm-agent doctor` against a real broker and real files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from deploy.local.services.mosquitto import Mosquitto
from isotherm.mqtt.topics import status_topic
from tests.edge_agent.support.brokers import Retained, running
from tests.edge_agent.support.fake_sys import FakeSys
from tests.edge_agent.support.hostile_broker import HostileBroker
from tests.support import ROOT, program, unique

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.local import Stack

pytestmark = pytest.mark.integration


class Board(NamedTuple):
    """A device with its file."""

    name: str
    folder: Path
    config: Path


def board(folder: Path, url: str, more: str = "", name: str = "") -> Board:
    name = name or unique("pi")
    folder.mkdir(exist_ok=True)
    sys_folder = FakeSys(folder / "sys")
    address = sys_folder.sensor().parent.name
    config = folder / "agent.toml"
    config.write_text(
        f'[device]\nid = "{name}"\nstate = "CA"\nsysfs = "{folder}/sys"\n'
        f'[outbox]\npath = "{folder}/outbox.db"\n[mqtt]\nurl = "{url}"\n{more}'
        f'[[probe]]\nguid = "{name}-1"\ndriver = "simulated"\ninterval = "200ms"\n'
        f'[[probe]]\nguid = "{name}-2"\ndriver = "w1"\naddress = "{address}"\n'
    )
    return Board(name, folder, config)


def doctor(of: Board) -> tuple[int, str]:
    command = [sys.executable, "-m", "edge_agent", "doctor", "--config", str(of.config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_good_board_has_no_failure(stack: Stack, tmp_path: Path) -> None:
    here = board(tmp_path, stack.mqtt)
    code, text = doctor(here)
    assert code == 0, text
    for sentence in (
        f"ok   probe         {here.name}-1 (simulated): ",
        f"ok   probe         {here.name}-2 (w1): ",
        f"ok   outbox        {here.folder}/outbox.db will be made by the agent",
        "ok   outbox fsync  an fsync takes ",
        f"ok   mqtt          {stack.mqtt} lets us in",
        f"ok   client id     the broker shows the doctor no status of {here.name}: ",
    ):
        assert sentence in text
    assert not (here.folder / "outbox.db").exists()


def test_a_probe_with_a_fault_and_an_open_secret_are_said(stack: Stack, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hidden")
    password.chmod(0o644)
    here = board(tmp_path, stack.mqtt, f'username = "u"\npassword_file = "{password}"\n')
    (slave,) = (tmp_path / "sys").rglob("w1_slave")
    slave.write_text(slave.read_text().replace("YES", "NO"))
    code, text = doctor(here)
    assert code == 1
    assert f"fail probe         {here.name}-2 (w1): crc" in text
    assert f"warn secrets       mqtt.password_file = {password} is open to other users" in text
    assert "hidden" not in text


def test_a_broker_that_is_away_is_a_dependency(tmp_path: Path) -> None:
    code, text = doctor(board(tmp_path, "mqtt://127.0.0.1:1"))
    assert code == 3
    assert "fail mqtt          mqtt://127.0.0.1:1: Connection refused" in text


class LockedMosquitto(Mosquitto):
    """A broker that lets nobody in without a password."""

    def configure(self, *ports: int) -> None:
        super().configure(*ports)
        with self._config.open("a", encoding="utf-8") as config:
            config.write("\nallow_anonymous false\n")

    def answers(self) -> bool:
        """A refusal is an answer."""
        with socket.create_connection(("127.0.0.1", self.port), 5):
            return True


def test_a_broker_that_wants_a_password_names_the_settings(tmp_path: Path) -> None:
    with running(LockedMosquitto, tmp_path / "broker") as broker:
        code, text = doctor(board(tmp_path / "pi", f"mqtt://127.0.0.1:{broker.port}"))
    assert code == 3
    assert "it refuses us: not authorized (0x87); see mqtt.username and mqtt.password_file" in text


def test_a_broker_that_hangs_up_on_mqtt_5_is_asked_in_3_1_1_as_the_agent_asks_it(
    tmp_path: Path,
) -> None:
    with HostileBroker(old=True) as broker:
        here = board(tmp_path, f"mqtt://127.0.0.1:{broker.port}")
        _, text = doctor(here)
        assert "lets us in" in text, text
        assert "it speaks MQTT 3.1.1" in text
        with program("edge_agent", "run", "--config", str(here.config)) as agent:
            assert "it speaks MQTT 3.1.1" in agent.await_line("this broker cannot do all", 20)
            assert agent.end() == 0
    assert broker.payloads


def test_a_running_agent_is_seen_and_not_disturbed(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = board(tmp_path, stack.mqtt)
    other = board(tmp_path / "other", stack.mqtt, name=here.name)
    with (
        Retained(stack.mqtt, status_topic(here.name)) as retained,
        program("edge_agent", "run", "--config", str(here.config)) as agent,
    ):
        first = retained.await_json(status_topic(here.name), "online", value=True)
        code, text = doctor(here)
        assert code == 0, text
        assert f"ok   client id     this board's agent is connected as {here.name}" in text
        assert "an agent runs with it" in text

        # The tests' own way to keep outboxes apart, which wins over the file.
        monkeypatch.setenv("ISOTHERM_AGENT_OUTBOX_PATH", f"{other.folder}/outbox.db")
        code, text = doctor(other)
        assert code == 1, text
        assert f"fail client id     an agent on this board is connected as {here.name}" in text

        assert retained.json(status_topic(here.name))["life"] == first["life"]
        assert agent.end() == 0
        assert not [line for line in agent.lines if "no broker" in line]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(stack: Stack, tmp_path: Path) -> None:
    here = board(tmp_path, stack.mqtt)
    tmp_path.chmod(0o500)
    code, text = doctor(here)
    tmp_path.chmod(0o700)
    assert code == 1
    assert "fail outbox place  nothing can be written beside" in text


def test_a_wrong_setting_is_a_usage_error(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text("[device]\nidd = 1\n")
    command = [sys.executable, "-m", "edge_agent", "doctor", "--config", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "device.idd" in done.stderr or "probe" in done.stderr
