import tomllib
from typing import Any

import pytest

from edge_agent.probes.driver import ProbeSettings
from edge_agent.probes.drivers.simulated import SimulatedSettings
from edge_agent.probes.registry import driver, driver_names
from edge_agent.probes.simulation import START
from edge_agent.settings.agent import load_agent, needs_restart, reloaded
from edge_agent.settings.sample import sample_config
from edge_agent.settings.tools import REPLAY_PREFIX, SIMULATE_PREFIX
from edge_agent.settings.tools import ReplaySettings as Replay
from edge_agent.settings.tools import SimulateSettings as Simulate
from isotherm.errors import SettingsError
from isotherm.settings.table import load, rows


def _probe(**more: Any) -> dict[str, Any]:
    return {"guid": "g1", "driver": "simulated", **more}


def _file(*probes: dict[str, Any], **device: Any) -> dict[str, Any]:
    return {"device": {"id": "porch", "state": "CA", **device}, "probe": list(probes)}


def test_the_sample_can_be_used_as_it_is() -> None:
    settings = load_agent(tomllib.loads(sample_config()))
    (probe,) = settings.probes
    assert isinstance(probe, SimulatedSettings)
    assert (settings.state_of(probe), probe.interval) == ("CA", 5.0)
    assert str(settings.mqtt) == "mqtt://127.0.0.1:1883"


def test_the_sample_names_every_driver_and_its_keys() -> None:
    for name in driver_names():
        _, found, rest = sample_config().partition(f'driver = "{name}"\n')
        assert found, name
        for row in rows(driver(name).settings)[len(rows(ProbeSettings)) :]:
            assert f"# {row.key} =" in rest or f"\n{row.key} =" in rest, row.key


def test_a_probe_may_stand_elsewhere_than_its_device() -> None:
    settings = load_agent(_file(_probe(), _probe(guid="g2", state="AK", seed=7)))
    assert [settings.state_of(probe) for probe in settings.probes] == ["CA", "AK"]


def test_environment_and_flags_beat_the_file() -> None:
    environ = {"ISOTHERM_AGENT_DEVICE_STATE": "NY", "ISOTHERM_AGENT_MQTT_URL": "mqtt://a:1"}
    settings = load_agent(_file(_probe()), environ, {"mqtt": "mqtt://b:2"})
    assert (settings.state, str(settings.mqtt)) == ("NY", "mqtt://b:2")


@pytest.mark.parametrize(
    ("file", "sentence"),
    (
        ({}, "probe is not set: add at least one"),
        (_file(), "probe = []: add at least one"),
        ({"probe": "x"}, "probe = 'x': add at least one"),
        (_file({"guid": "g"}), "probe[1].driver is not set: write one of the drivers"),
        (_file(_probe(driver="w2")), "probe[1].driver = 'w2': write one of the drivers: bme280,"),
        (_file({"driver": "simulated"}), "probe[1].guid is not set"),
        (_file(_probe(guid="a\nb")), "probe[1].guid = 'a\\nb': write 1 to 128"),
        (_file(_probe(), _probe()), "probe[2].guid = 'g1': probe[1] has it already"),
        (_file(_probe(interval=5)), "probe[1].interval = 5: write a time span"),
        (_file(_probe(interval="0s")), "probe[1].interval = '0s': write a time span"),
        (_file(_probe(sed=1)), "probe[1].sed = 1: is not a setting; did you mean seed?"),
        (_file(_probe(state="XX")), "probe[1].state = 'XX': write one of the 51"),
        ({"probe": [_probe()]}, "probe[1].state is not set: write state"),
        (_file(_probe(), id="a/b"), "device.id = 'a/b': write 1 to 128 printable characters"),
        (_file(_probe()) | {"mqtt": {"ca_file": "c"}}, "mqtt.ca_file = 'c': has no effect"),
        (_file(_probe()) | {"mqtt": {"password_file": "p"}}, "mqtt.password_file = 'p': set mqtt"),
        (_file(_probe()) | {"mqtt": {"keepalive": "1s"}}, "mqtt.keepalive = '1s': write a time"),
        (_file(_probe()) | {"mqtt": {"window": 0}}, "mqtt.window = 0: write a whole number"),
        (_file(_probe()) | {"outbox": {"overflow": "fold"}}, "outbox.overflow = 'fold': write"),
    ),
)
def test_what_is_wrong_is_told_with_key_value_and_fix(file: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_agent(file)
    assert str(caught.value).startswith(sentence)


def test_a_host_name_that_is_no_topic_asks_for_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "a/b")
    file = _file(_probe())
    del file["device"]["id"]
    with pytest.raises(SettingsError, match=r"write a device\.id"):
        load_agent(file)


def test_only_probes_and_their_place_change_without_a_restart() -> None:
    old = load_agent(_file(_probe()))
    new = load_agent(_file(_probe(guid="g2"), state="NY") | {"mqtt": {"url": "mqtt://b"}})
    assert needs_restart(old, old) == []
    assert needs_restart(old, new) == ["mqtt.url"]
    after = reloaded(old, new)
    assert (after.probes, after.state, after.mqtt) == (new.probes, "NY", old.mqtt)
    assert needs_restart(after, new) == ["mqtt.url"]


def test_the_commands_have_the_defaults_that_are_documented() -> None:
    simulate = load(Simulate, SIMULATE_PREFIX)
    assert (simulate.sensors, simulate.seed, simulate.start) == (2_106, 0, START)
    replay = load(Replay, REPLAY_PREFIX, flags={"mqtt": "mqtt://h"})
    assert (replay.device, replay.rate, replay.batch, replay.give_up) == ("replay", None, 1, None)


@pytest.mark.parametrize(
    ("flags", "fix"),
    (
        ({"rate": "0"}, "over 0"),
        ({"rate": "nan"}, "over 0"),
        ({"qos": "0"}, "from 1 to 1"),
        ({"device": "a+b"}, "printable"),
        ({"batch": "0"}, "from 1"),
        ({"give_up": "5"}, "time span"),
    ),
)
def test_replay_refuses_what_makes_no_sense(flags: dict[str, str], fix: str) -> None:
    with pytest.raises(SettingsError, match=fix):
        load(Replay, REPLAY_PREFIX, flags={"mqtt": "mqtt://h", **flags})
