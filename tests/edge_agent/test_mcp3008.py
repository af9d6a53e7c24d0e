from typing import Any

import pytest

from edge_agent.fault import Fault
from edge_agent.mocks import MockHardware, MockMcp3008
from edge_agent.probe import driver
from edge_agent.probes.mcp3008 import SENSORS, temperature
from edge_agent.reader import read_once
from edge_agent.site import Site
from isotherm.errors import SettingsError
from isotherm.settings.table import load

VREF = 3.3
STEP = VREF / 1_023 * 100
"""Degrees Celsius from one step of the converter to the next."""


@pytest.mark.parametrize(
    ("sensor", "volts", "celsius"),
    (
        ("tmp36", 0.75, 25.0),
        ("tmp36", 0.5, 0.0),
        ("tmp36", 0.11, -39.0),
        ("lm35", 0.25, 25.0),
        ("lm35", 1.49, 149.0),
    ),
)
def test_volts_are_degrees(sensor: str, volts: float, celsius: float) -> None:
    steps = round(volts / VREF * 1_023)
    found = temperature([steps], SENSORS[sensor], VREF)
    assert found == pytest.approx(celsius, abs=STEP)


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("steps", (0, 1, 2, 1_021, 1_022, 1_023, 800))
def test_an_open_or_shorted_input_is_a_fault(sensor: str, steps: int) -> None:
    assert temperature([steps], SENSORS[sensor], VREF) is Fault.RANGE


def test_the_median_passes_over_a_few_wild_samples() -> None:
    calm = temperature([232] * 15, SENSORS["tmp36"], VREF)
    assert temperature([232] * 10 + [0, 1_023, 0, 1_023, 0], SENSORS["tmp36"], VREF) == calm


def _open(converter: MockMcp3008 | None = None, **keys: Any) -> Any:
    chosen = driver("mcp3008")
    settings = load(chosen.settings, "", file={"guid": "g", "driver": "mcp3008", **keys})
    return chosen.open(settings, Site(state="CA", hardware=MockHardware({}, converter)))


@pytest.mark.parametrize("channel", range(8))
def test_each_channel_is_read_through_gpiozero(channel: int) -> None:
    converter = MockMcp3008(lambda number: 0.5 + number / 100, VREF)
    probe = _open(converter, sensor="tmp36", channel=channel)
    assert probe.read() == pytest.approx(channel, abs=STEP)
    assert probe.read() == pytest.approx(channel, abs=STEP)


def test_the_reference_is_a_setting() -> None:
    converter = MockMcp3008(lambda _: 0.25, 5.0)
    assert _open(converter, sensor="lm35", vref=5.0).read() == pytest.approx(25.0, abs=0.5)
    assert read_once(_open(MockMcp3008(lambda _: 9.0, VREF), sensor="lm35")) == (Fault.RANGE, "")


@pytest.mark.parametrize(
    ("keys", "fix"),
    (
        ({}, "sensor is not set"),
        ({"sensor": "lm36"}, "write one of: tmp36, lm35"),
        ({"sensor": "lm35", "channel": 8}, "whole number from 0 to 7"),
        ({"sensor": "lm35", "vref": 0}, "a number from 1 to 5.5"),
    ),
)
def test_what_makes_no_sense_is_refused(keys: dict[str, Any], fix: str) -> None:
    with pytest.raises(SettingsError, match=fix):
        _open(**keys)
