"""Analog sensors behind an MCP3008 converter on SPI.

Source: Analog Devices TMP35/TMP36/TMP37 (750 mV at 25 °C, 10 mV per degree), Texas Instruments
LM35 (10 mV per degree, +2 to 150 °C with a single supply), Microchip MCP3004/3008, DS21295:
figure 6-1 (10 bits in three bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_agent.parsers import number
from edge_agent.probes.driver import Candidate, Driver, ProbeSettings, SpiMock
from edge_agent.probes.fault import Fault
from isotherm.settings.table import choice, setting, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_agent.probes.bus import Site, Spi
    from edge_agent.probes.driver import ScanContext

SELECTS: Final = (0, 1)
"""Chip selects of the board's SPI port 0."""
START: Final = 0x01
SINGLE: Final = 0x80
"""Measure one input against ground, and not the difference of two."""
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
    """TMP36 or LM35 at an input of an MCP3008 on SPI."""

    sensor: str = setting("sensor", choice(*SENSORS), help="What is connected: tmp36 or lm35.")
    channel: int = setting("channel", whole(0, 7), default=0, help="The converter's input, 0 to 7.")
    select: int = setting(
        "select", whole(*SELECTS), default=0, help="Its chip select: N of /dev/spidev0.N."
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
        spi: the converter to which it is connected.
        settings: what it is.
    """

    def __init__(self, spi: Spi, settings: Mcp3008Settings) -> None:
        self._spi = spi
        self._settings = settings
        self._command = bytes([START, SINGLE | settings.channel << 4, 0])

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius."""
        settings = self._settings
        samples = [self._sample() for _ in range(settings.samples)]
        return temperature(samples, SENSORS[settings.sensor], settings.vref)

    def _sample(self) -> int:
        _, high, low = self._spi.exchange(self._command)
        return (high << 8 | low) & FULL


def _open(settings: Mcp3008Settings, site: Site) -> Mcp3008Probe:
    return Mcp3008Probe(site.hardware.spi(settings.select), settings)


def _find(context: ScanContext) -> Iterator[Candidate]:
    """The chip selects; nothing shows what is connected to them."""
    for select in context.spi:
        if select in SELECTS:
            about = f"/dev/spidev0.{select}: if an MCP3008 is there, and a sensor at its channel 0"
            keys = {"sensor": "tmp36", "select": select, "channel": 0}
            yield Candidate(about, keys, sure=False)


class MockMcp3008:
    """An MCP3008 that answers byte for byte.

    Args:
        volts: at each input, 0 to 7.
        vref: volts that give 1023.
    """

    def __init__(self, volts: Callable[[int], float], vref: float) -> None:
        self._volts = volts
        self._vref = vref

    def exchange(self, data: bytes) -> bytes:
        """Three bytes out for three bytes in."""
        start, command, _ = data
        if start != START:
            return bytes(len(data))
        steps = round(self._volts(command >> 4 & 0b111) / self._vref * FULL)
        return bytes([0, *max(0, min(steps, FULL)).to_bytes(2)])


def _mock(celsius: Callable[[], float]) -> MockMcp3008:
    """With a TMP36 at each input."""
    zero = SENSORS["tmp36"].zero
    return MockMcp3008(lambda _: zero + celsius() / DEGREES_PER_VOLT, 3.3)


DRIVER = Driver(settings=Mcp3008Settings, open=_open, find=_find, mock=SpiMock(0, _mock))
