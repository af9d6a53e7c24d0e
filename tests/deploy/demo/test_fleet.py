"""The fleet of the demo, what happens to it, and what a stranger writes beside it."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

from deploy.demo.fleet.fleet import BOARD_STATE, W1_ADDRESS, board_config, fleet_config
from deploy.demo.fleet.one_wire import Bus
from deploy.demo.fleet.scenario import PERIOD, Happening, due
from deploy.demo.fleet.third_party import turn
from deploy.demo.status_line import pulse
from edge_agent.probes.driver import read_once
from edge_agent.probes.fault import Fault
from edge_agent.sampling.places import places
from edge_agent.settings.agent import load_agent
from isotherm.contract import Reading, Rejection, judge
from isotherm.contract.states import STATES

MQTT = "mqtt://127.0.0.1:1883"


def test_fleet_has_one_guid_per_sensor_and_all_states() -> None:
    config = tomllib.loads(fleet_config(5000, MQTT, Path("/data/outbox.db")))
    probes = config["probe"]
    assert len({probe["guid"] for probe in probes}) == 5000
    assert {probe["state"] for probe in probes} == set(STATES)
    assert {(probe["driver"], probe["interval"]) for probe in probes} == {("simulated", "1s")}
    assert re.fullmatch(r"0-ZZZ12345678-\d\d[A-Z]", probes[1999]["guid"])


def test_a_few_of_the_fleet_fail() -> None:
    probes = tomllib.loads(fleet_config(2000, MQTT, Path("o.db")))["probe"]
    ill = [probe for probe in probes if {"dropouts", "spikes", "stuck_at"} & probe.keys()]
    assert 0 < len(ill) < 50
    assert len({frozenset(probe) for probe in ill}) == 3


def test_the_agent_takes_both_configurations(tmp_path: Path) -> None:
    fleet = load_agent(tomllib.loads(fleet_config(300, MQTT, tmp_path / "o.db")))
    assert len(fleet.probes) == 300
    board = load_agent(tomllib.loads(board_config(MQTT, tmp_path / "o.db", tmp_path / "sys")))
    assert {board.state_of(probe) for probe in board.probes} == {BOARD_STATE}


def test_the_board_s_sensor_gives_crc_faults_while_it_is_disturbed(tmp_path: Path) -> None:
    bus = Bus(tmp_path / "sys", W1_ADDRESS)
    board = load_agent(tomllib.loads(board_config(MQTT, tmp_path / "o.db", tmp_path / "sys")))
    probe = places(board)[-1].probe
    assert read_once(probe) == (26.625, "")
    bus.disturb()
    assert read_once(probe) == (Fault.CRC, "")
    bus.mend()
    assert read_once(probe) == (26.625, "")


def test_each_happening_comes_once_in_a_period() -> None:
    ticks = [0.5 * number for number in range(int(4 * PERIOD))]
    happened = [what for before, now in itertools.pairwise(ticks) for what in due(before, now)]
    assert happened == 2 * list(Happening)
    assert due(PERIOD - 1, PERIOD) == []


def test_a_late_look_finds_all_that_was_due() -> None:
    assert due(0, PERIOD) == list(Happening)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_stranger_writes_a_reading_and_something_that_is_none(number: int) -> None:
    written = turn(number, "0123456789abcdef", 1_800_000_000 * 10**9)
    assert isinstance(judge(written.reading), Reading)
    assert isinstance(judge(written.rejected), Rejection)


def test_a_stranger_is_rejected_for_several_reasons() -> None:
    found = {judge(turn(n, "0123456789abcdef", 10**18).rejected) for n in range(1, 5)}
    assert len({one.reason for one in found if isinstance(one, Rejection)}) == 4


def test_the_line_beside_the_page_says_how_it_goes() -> None:
    assert pulse(None, "http://h/") == "Spark is starting   http://h/"
    snapshot = {
        "scopes": {"since_start": {"total_messages": 12345, "total_sensors": 2026}},
        "offline": {"total": 25},
        "rejected_since_start": {"wrong_type": 2, "missing_field": 1},
    }
    assert pulse(snapshot, None) == "12,345 readings of 2,026 sensors, 25 offline, 3 rejected"
