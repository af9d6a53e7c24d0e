import ctypes
import errno
import warnings
from collections.abc import Sequence
from typing import Any

import gpiozero
import pytest
import smbus2
from gpiozero.pins.mock import MockFactory

from edge_agent.probes.bus import Site
from edge_agent.probes.driver import read_once
from edge_agent.probes.drivers.i2c.bme280 import Bme280Probe, MockBme280
from edge_agent.probes.drivers.spi.mcp3008 import DRIVER, MockMcp3008
from edge_agent.probes.fault import Fault
from edge_agent.probes.hardware import BoardHardware, GpiozeroSpi, SmbusI2c
from isotherm.settings.table import load


class _Kernel:
    """Stands for /dev/i2c-1: takes smbus2's real messages, and answers as one chip does."""

    chip = MockBme280(lambda: 21.5)
    opened = 0
    answers = True

    def __init__(self, path: str) -> None:
        assert path == "/dev/i2c-1"
        type(self).opened += 1

    def i2c_rdwr(self, *messages: smbus2.i2c_msg) -> None:
        if not self.answers:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        for message in messages:
            assert message.addr == 0x76
            if message.flags:
                ctypes.memmove(message.buf, self.chip.read(message.len), message.len)
            else:
                self.chip.write(bytes(message))

    def close(self) -> None:
        pass


def test_a_bus_is_opened_by_the_first_exchange_and_anew_after_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smbus2, "SMBus", _Kernel)
    monkeypatch.setattr(_Kernel, "opened", 0)
    probe = Bme280Probe(SmbusI2c(1), 0x76, lambda _: None)
    assert _Kernel.opened == 0
    assert [read_once(probe)[0] for _ in range(2)] == pytest.approx([21.5, 21.5], abs=0.001)
    assert _Kernel.opened == 1
    monkeypatch.setattr(_Kernel, "answers", False)
    assert read_once(probe) == (Fault.MISSING, "Remote I/O error")
    monkeypatch.setattr(_Kernel, "answers", True)
    assert read_once(probe)[0] == pytest.approx(21.5, abs=0.001)
    assert _Kernel.opened == 2


def test_a_bus_that_the_board_does_not_have_is_a_fault_of_each_read() -> None:
    probe = Bme280Probe(BoardHardware().i2c(255), 0x76)
    for _ in range(2):
        assert read_once(probe) == (Fault.MISSING, "/dev/i2c-255: No such file or directory")


class _Spi:
    """An SPI port of gpiozero, with a converter behind it."""

    bits_per_word = 8

    def __init__(self, chip: MockMcp3008) -> None:
        self.chip = chip
        self.clock_mode = 0
        self.sent: list[list[int]] = []
        self.closed = False

    def transfer(self, data: Sequence[int]) -> list[int]:
        self.sent.append(list(data))
        return list(self.chip.exchange(bytes(data)))

    def close(self) -> None:
        self.closed = True


class _Pins(MockFactory):  # type: ignore[misc]
    """gpiozero's pins, whose SPI is one port."""

    def __init__(self) -> None:
        super().__init__()
        # Volts that are one step more for each input, so that a wrong input shows.
        self.port = _Spi(MockMcp3008(lambda channel: (512 + channel) / 1_023 * 3.3, 3.3))
        self.asked: dict[str, Any] = {}

    def spi(self, **arguments: Any) -> _Spi:
        self.asked = arguments
        return self.port


@pytest.mark.parametrize("channel", range(8))
def test_an_mcp3008_is_asked_as_gpiozero_asks_it(channel: int) -> None:
    pins = _Pins()
    theirs = gpiozero.MCP3008(channel=channel, pin_factory=pins).raw_value
    keys = {"guid": "g", "driver": "mcp3008", "sensor": "tmp36", "channel": channel, "samples": 1}
    settings = load(DRIVER.settings, "", file=keys)
    hardware = _Hardware(GpiozeroSpi(0, 0, lambda: pins))
    ours = DRIVER.open(settings, Site(state="CA", hardware=hardware)).read()
    asked_by_gpiozero, asked_by_us = pins.port.sent
    assert asked_by_us == asked_by_gpiozero
    assert theirs == 512 + channel
    assert ours == pytest.approx((theirs / 1_023 * 3.3 - 0.5) * 100)
    assert pins.asked == {"port": 0, "device": 0, "shared": True}


class _Hardware(BoardHardware):
    def __init__(self, chip: GpiozeroSpi) -> None:
        self._chip = chip

    def spi(self, select: int, mode: int = 0) -> GpiozeroSpi:
        assert (select, mode) == (0, 0)
        return self._chip


def test_a_chip_gets_the_clock_mode_that_it_needs() -> None:
    pins = _Pins()
    spi = GpiozeroSpi(0, 3, lambda: pins)
    assert pins.asked == {}
    spi.exchange(b"\x01\x80\x00")
    assert pins.port.clock_mode == 3


def test_a_port_that_fails_is_opened_anew() -> None:
    tries: list[_Pins] = []

    def factory() -> _Pins:
        tries.append(_Pins())
        if len(tries) == 1:
            raise gpiozero.BadPinFactory("no pins here")
        return tries[-1]

    spi = GpiozeroSpi(0, 0, factory)
    with pytest.raises(OSError, match="BadPinFactory: no pins here"):
        spi.exchange(b"\x01\x80\x00")
    assert [spi.exchange(b"\x01\x80\x00") for _ in range(2)] == [b"\x00\x02\x00"] * 2
    assert len(tries) == 2
    # An answer that cannot be taken closes the port.
    with pytest.raises(OSError, match="ValueError"):
        spi.exchange(b"\x01")
    assert tries[1].port.closed
    assert spi.exchange(b"\x01\x80\x00") == b"\x00\x02\x00"
    assert len(tries) == 3


def test_a_board_without_pins_says_why() -> None:
    def factory() -> Any:
        warnings.warn("lgpio: no /dev/gpiochip0", gpiozero.PinFactoryFallback, stacklevel=1)
        raise gpiozero.BadPinFactory("nothing")

    with pytest.raises(OSError, match="BadPinFactory: lgpio: no /dev/gpiochip0"):
        GpiozeroSpi(0, 0, factory).exchange(b"\x00")
