"""Texas Instruments TMP117 over I2C.

Source: Texas Instruments, SNOSD82 (TMP117 data sheet): 6.5 (times), 7.3.1 (power up), 7.3.2
(averaging), 7.3.3 (temperature), 7.4.3 (one-shot mode), 7.6 (registers).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_agent.probes.driver import Driver, I2cMock, stuck_setting
from edge_agent.probes.drivers.i2c._chip import (
    I2cSettings,
    address_setting,
    find_chips,
    open_chip,
)
from edge_agent.probes.fault import Fault, ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.probes.bus import I2c

ADDRESSES: Final = (0x48, 0x49, 0x4A, 0x4B)

TEMPERATURE: Final = 0x00
NOT_CONVERTED: Final = 0x8000
"""What the temperature register holds from power-on to the first conversion: -256 °C."""
CONFIGURATION: Final = 0x01
DATA_READY: Final = 0x2000
"""A conversion has ended; reading the temperature or the configuration clears it."""
EEPROM_BUSY: Final = 0x1000
"""The chip loads its settings after power-on, or somebody programs it."""
MODE: Final = 0x0C00
ONE_SHOT: Final = 0x0C00
SHUTDOWN: Final = 0x0400
AVERAGE_8: Final = 0x0020
ALERT_PIN: Final = 0x001C
"""How the alert pin is used: whatever is wired to it, we leave it as it is."""
DEVICE: Final = 0x0F
DEVICE_ID: Final = 0x0117
REVISION: Final = 0xF000
"""The chip's revision stands in the same register as its id."""

STEP: Final = 0.007_812_5
"""Degrees Celsius."""
EEPROM_LOAD: Final = 0.002
"""Seconds from power-on until the chip has loaded its settings: 1.5 ms."""
CONVERSION: Final = 0.14
"""Seconds that eight conversions take at most: 8 · 17.5 ms."""
LOOKS: Final = 5
"""How often to look whether they are done, each `CONVERSION` later."""
LOWEST: Final = -55.0
HIGHEST: Final = 150.0

STUCK: Final = (
    "Each reading of this chip is a conversion of its own, which may give the same again."
)


@dataclass(frozen=True, kw_only=True)
class Tmp117Settings(I2cSettings):
    """Texas Instruments TMP117 on I2C."""

    stuck_after: int = stuck_setting(0, STUCK)
    address: int = address_setting(*ADDRESSES)


def temperature(raw: int) -> float | Fault:
    """Degrees Celsius out of the 16 bits of the temperature register."""
    if raw == NOT_CONVERTED:
        return Fault.RESET
    celsius = (raw - 0x10000 if raw & 0x8000 else raw) * STEP
    return celsius if LOWEST <= celsius <= HIGHEST else Fault.RANGE


class Tmp117Probe:
    """One chip. It sleeps between two reads, and so does not warm itself.

    Args:
        bus: to which it is connected.
        address: one of `ADDRESSES`.
        sleep: waits so many seconds.
    """

    def __init__(self, bus: I2c, address: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self._bus = bus
        self._address = address
        self._sleep = sleep

    def read(self) -> float | Fault:
        """The temperature in degrees Celsius, the mean of 8 conversions; takes 140 ms.

        Raises:
            ProbeError: the chip does not become ready.
            OSError: it does not answer, or is no TMP117.
        """
        # The id first: of another chip at this address nothing is changed.
        chip = self._word(DEVICE)
        if chip & ~REVISION != DEVICE_ID:
            raise OSError(f"the chip at {self._address:#04x} says id {chip:#06x}: not a TMP117")
        configuration = self._word(CONFIGURATION)
        if configuration & EEPROM_BUSY:
            self._sleep(EEPROM_LOAD)
            configuration = self._word(CONFIGURATION)
            if configuration & EEPROM_BUSY:
                raise ProbeError(Fault.TIMEOUT, "its EEPROM is being written")
        wanted = configuration & ALERT_PIN | ONE_SHOT | AVERAGE_8
        self._bus.exchange(self._address, bytes([CONFIGURATION, *wanted.to_bytes(2)]), 0)
        for _ in range(LOOKS):
            self._sleep(CONVERSION)
            if self._word(CONFIGURATION) & DATA_READY:
                return temperature(self._word(TEMPERATURE))
        raise ProbeError(Fault.TIMEOUT, f"no conversion ended in {LOOKS * CONVERSION:.1f} s")

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.exchange(self._address, bytes([register]), 2))


class MockTmp117:
    """A TMP117: words of 16 bits, of which the first byte of a write chooses one.

    Args:
        celsius: what there is to measure, degrees Celsius.
        device: what its id register says.
    """

    def __init__(self, celsius: Callable[[], float], device: int = DEVICE_ID) -> None:
        self._celsius = celsius
        self._chosen = TEMPERATURE
        # Continuous conversion of 8 averages: how the chip leaves the factory.
        self.words = {TEMPERATURE: NOT_CONVERTED, CONFIGURATION: 0x0220, DEVICE: device}

    def write(self, data: bytes) -> None:
        """Choose a register, and set it where two bytes follow."""
        self._chosen = data[0]
        if self._chosen == CONFIGURATION and len(data) > 1:
            wanted = int.from_bytes(data[1:])
            if wanted & MODE == ONE_SHOT:
                self.words[TEMPERATURE] = round(self._celsius() / STEP) & 0xFFFF
                # It measures once, and goes back to sleep.
                wanted = wanted & ~MODE | SHUTDOWN | DATA_READY
            self.words[CONFIGURATION] = wanted

    def read(self, count: int) -> bytes:
        """The chosen register."""
        word = self.words.get(self._chosen, 0)
        if self._chosen in (TEMPERATURE, CONFIGURATION):
            self.words[CONFIGURATION] &= ~DATA_READY
        return word.to_bytes(2)[:count]


DRIVER = Driver(
    settings=Tmp117Settings,
    open=open_chip(Tmp117Probe),
    find=find_chips("tmp117", Tmp117Probe, ADDRESSES),
    mock=I2cMock(0x48, MockTmp117),
)
