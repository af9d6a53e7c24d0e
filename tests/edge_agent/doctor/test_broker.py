"""`isotherm-agent doctor` against brokers that do less, or know clients by another name."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from isotherm.mqtt.topics import status_topic
from tests.edge_agent.support.brokers import Retained
from tests.edge_agent.support.odd_brokers import Board, mosquitto
from tests.support import ROOT, program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("own_config")]


def doctor(board: Board) -> tuple[int, str]:
    command = [sys.executable, "-m", "edge_agent", "doctor", "--config", str(board.file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    (
        ("max_qos 0", "warn mqtt qos      the broker takes QoS 0 only"),
        ("retain_available false", "warn mqtt retain   the broker keeps no retained messages"),
        ("message_size_limit 200", "warn mqtt will     the broker takes no last will"),
        ("max_packet_size 250", "warn mqtt will     the broker takes no last will"),
        ("max_packet_size 1500", "packets of 1500 bytes, QoS up to 2, with retained messages"),
    ),
)
def test_the_doctor_connects_as_the_agent_does(tmp_path: Path, line: str, words: str) -> None:
    with mosquitto(tmp_path / "broker", line) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", url, probes=1)
        code, text = doctor(board)
        assert code == 0, text
        assert f"{url} lets us in" in text
        assert words in text
        with Retained(url, status_topic(board.device)) as kept:
            assert kept.topics() == set()


def test_an_agent_that_a_broker_knows_by_its_user_name_is_not_thrown_out(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker", "use_username_as_clientid true") as broker:
        # The test's own clients have no user name, which this listener refuses.
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", url, probes=1, more='username = "pi"')
        with program(*board.run) as agent:
            agent.await_line("connected")
            # The note comes with a commit.
            found = ""
            for _ in range(50):
                code, found = doctor(board)
                if "lets the agent in" in found:
                    break
            assert code == 0, found
            assert "would throw that out" in found
            assert f"ok   client id     this board's agent is connected as {board.device}" in found
            agent.end()
        assert len([line for line in agent.lines if " connected " in line]) == 1
        # Without an agent nobody can be thrown out.
        code, found = doctor(board)
        assert code == 0, found
        assert f"{url} lets us in" in found


def test_rules_by_client_id_are_no_missing_status(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text(
        "pattern write isotherm/v1/readings/+/%c\n"
        "pattern readwrite isotherm/v1/status/%c\n"
        "user test\ntopic read #\n"
    )
    with mosquitto(tmp_path / "broker", f"acl_file {rules}") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        board = Board(tmp_path / "pi", url, probes=1)
        code, text = doctor(board)
        assert code == 0, text
        assert f"its rules let the client id {board.device} alone read it" in text
        for _ in range(2):
            with program(*board.run) as agent:
                agent.await_line("connected")
                found = ""
                for _ in range(50):
                    code, found = doctor(board)
                    if "is connected as" in found:
                        break
                agent.end()
        assert code == 0, found
        assert "this board's agent is connected as" in found
        assert "reads its status; the broker does not show it to the doctor" in found
