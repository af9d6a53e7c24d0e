import io
import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.mqtt.events import Up
from edge_agent.reporting.home_assistant import (
    HomeAssistant,
    Sensor,
    config,
    config_topic,
    latest,
    object_id,
)
from edge_agent.reporting.retained import RetainedMessages
from edge_agent.sampling.sample import Sample
from isotherm.contract.fields import is_guid
from isotherm.log import start_logging
from isotherm.mqtt.topics import latest_topic, status_topic
from tests.edge_agent.support.no_readings import NoReadings

GUIDS = st.text(min_size=1, max_size=128).filter(is_guid)


class _Rig:
    def __init__(self) -> None:
        self.up: Up | None = None
        self._notices = RetainedMessages(NoReadings(), start_logging("agent", stream=io.StringIO()))
        self.home = HomeAssistant(
            self._notices, greeting=lambda: self.up, prefix="ha", device="porch", version="1"
        )

    def connect(self) -> None:
        self.up = Up(receive_maximum=10, maximum_packet=None)
        self.home.turn(0.0)

    def posted(self) -> dict[str, Any]:
        """By topic; None for what is taken back."""
        found = {}
        while (message := self._notices.next()) is not None:
            assert message.topic is not None
            found[message.topic] = json.loads(message.payload) if message.payload else None
        return found


def _sample(guid: str, temperature: float) -> Sample:
    return Sample(guid, "CA", temperature, 0, 0)


def test_a_config_has_what_home_assistant_needs() -> None:
    made = json.loads(config("porch", Sensor("0-ZZZ12345678-08K", 5.0), version="1"))
    assert made["state_topic"] == latest_topic("porch")
    assert made["availability_topic"] == status_topic("porch")
    assert made["value_template"] == "{{ value_json['0-ZZZ12345678-08K'] }}"
    assert made["unit_of_measurement"] == "°F"
    assert made["device_class"] == "temperature"
    assert made["expire_after"] == 30
    assert json.loads(config("porch", Sensor("g", 60.0), version="1"))["expire_after"] == 180


@given(GUIDS, GUIDS)
def test_names_become_object_ids_and_stay_apart(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", object_id(one))
    assert (object_id(one) == object_id(other)) == (one == other)


@given(GUIDS)
def test_the_template_picks_the_probe_out_of_the_latest(guid: str) -> None:
    template = json.loads(config("d", Sensor(guid, 1.0), version="1"))["value_template"]
    (key,) = re.findall(r"^\{\{ value_json\['(.*)'\] \}\}$", template)
    assert json.loads(latest({guid: 59.7, "other probe": None}))[key] == 59.7


def test_probes_are_told_and_taken_back() -> None:
    rig = _Rig()
    rig.home.introduce([Sensor("a", 1.0), Sensor("b", 1.0)])
    rig.posted()
    rig.home.show([_sample("a", 50.0), _sample("b", 60.0)], [])
    rig.home.introduce([Sensor("b", 1.0), Sensor("c", 1.0)])
    rig.home.show([_sample("c", 70.0)], [])
    posted = rig.posted()
    assert posted[config_topic("ha", "porch", "a")] is None
    assert posted[config_topic("ha", "porch", "c")]["name"] == "c"
    assert posted[latest_topic("porch")] == {"b": 60.0, "c": 70.0}


def test_a_probe_with_a_fault_shows_as_unknown() -> None:
    rig = _Rig()
    rig.home.show([_sample("a", 50.0)], ["b"])
    assert rig.posted() == {latest_topic("porch"): {"a": 50.0, "b": None}}
    rig.home.show([], [])
    assert rig.posted() == {}


def test_a_broker_that_forgot_is_told_again() -> None:
    rig = _Rig()
    rig.home.introduce([Sensor("a", 1.0)])
    rig.home.show([_sample("a", 50.0)], [])
    rig.posted()
    rig.connect()
    assert set(rig.posted()) == {config_topic("ha", "porch", "a"), latest_topic("porch")}
    rig.home.turn(1.0)
    assert rig.posted() == {}
