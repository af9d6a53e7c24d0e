from typing import Any

import pytest

from edge_agent.probes.driver import Probe, read_once
from edge_agent.probes.drivers.spi.mcp3008 import SENSORS, MockMcp3008, temperature
from edge_agent.probes.fault import Fault
from isotherm.errors import SettingsError
from tests.edge_agent.probes.opened import open_probe

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


def _open(converter: MockMcp3008 | None = None, **keys: Any) -> Probe:
    return open_probe("mcp3008", i2c={}, spi=None if converter is None else {0: converter}, **keys)


@pytest.mark.parametrize("channel", range(8))
def test_each_channel_is_read(channel: int) -> None:
    converter = MockMcp3008(lambda number: 0.5 + number / 100, VREF)
    probe = _open(converter, sensor="tmp36", channel=channel)
    assert probe.read() == pytest.approx(channel, abs=STEP)
    assert probe.read() == pytest.approx(channel, abs=STEP)


def test_each_chip_select_is_a_converter_of_its_own() -> None:
    assert _open(sensor="tmp36").read() == pytest.approx(20.0, abs=2.0 + STEP)
    # Nothing is connected there, so that the line stays low.
    assert _open(sensor="tmp36", select=1).read() is Fault.RANGE


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
