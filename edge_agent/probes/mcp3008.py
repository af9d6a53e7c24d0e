"""Analog sensors behind an MCP3008 converter on SPI, through gpiozero.

Source: Analog Devices TMP35/TMP36/TMP37 (750 mV at 25 °C, 10 mV per degree), Texas Instruments
LM35 (10 mV per degree, +2 to 150 °C with a single supply), Microchip MCP3004/3008 (10 bits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.fault import Fault
from edge_agent.parsers import number
from edge_agent.probe import Driver, ProbeSettings
from isotherm.settings.table import choice, setting, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.site import Adc, Site

FULL: Final = 1_023
NEAR: Final = 2
"""Steps from either end of the scale within which an input is open or shorted."""


class Sensor(NamedTuple):
    """One kind of sensor.

    Attributes:
        zero: volts at 0 °C.
        lowest: degrees Celsius that it can measure.
        highest: the same.
    """

    zero: float
    lowest: float
    highest: float


SENSORS: Final = {"tmp36": Sensor(0.5, -40.0, 125.0), "lm35": Sensor(0.0, 2.0, 150.0)}
DEGREES_PER_VOLT: Final = 100.0


@dataclass(frozen=True, kw_only=True)
class Mcp3008Settings(ProbeSettings):
    """A sensor at one input of an MCP3008."""

    sensor: str = setting("sensor", choice(*SENSORS), help="What is connected: tmp36 or lm35.")
    channel: int = setting("channel", whole(0, 7), default=0, help="The converter's input, 0 to 7.")
    select: int = setting(
        "select", whole(0, 1), default=0, help="Its chip select: N of /dev/spidev0.N."
    )
    vref: float = setting(
        "vref", number(1.0, 5.5), default=3.3, help="Volts at the converter's pin VREF."
    )
    samples: int = setting(
        "samples", whole(1, 999), default=15, help="Conversions of which the median is taken."
    )


def temperature(samples: Sequence[int], sensor: Sensor, vref: float) -> float | Fault:
    """Degrees Celsius out of what the converter gave.

    Args:
        samples: at least one, each 0 to 1023.
        sensor: what is connected.
        vref: volts for which the converter gives 1023.
    """
    middle = sorted(samples)[len(samples) // 2]
    if not NEAR < middle < FULL - NEAR:
        return Fault.RANGE
    celsius = (middle / FULL * vref - sensor.zero) * DEGREES_PER_VOLT
    return celsius if sensor.lowest <= celsius <= sensor.highest else Fault.RANGE


class Mcp3008Probe:
    """One sensor.

    Args:
        adc: the input to which it is connected.
        settings: what it is.
    """

    def __init__(self, adc: Adc, settings: Mcp3008Settings) -> None:
        self._adc = adc
        self._settings = settings

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius."""
        settings = self._settings
        samples = [self._adc.read() for _ in range(settings.samples)]
        return temperature(samples, SENSORS[settings.sensor], settings.vref)


def _open(settings: Mcp3008Settings, site: Site) -> Mcp3008Probe:
    return Mcp3008Probe(site.hardware.adc(settings.select, settings.channel), settings)


DRIVER = Driver(settings=Mcp3008Settings, open=_open)
