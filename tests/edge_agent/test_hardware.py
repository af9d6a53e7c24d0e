import ctypes
import errno
import warnings
from typing import Any

import gpiozero
import pytest
import smbus2

from edge_agent.fault import Fault
from edge_agent.hardware import BoardHardware, GpiozeroAdc, SmbusI2c
from edge_agent.mocks import MockBme280, MockMcp3008
from edge_agent.probes.bme280 import Bme280Probe
from edge_agent.sampling.reader import read_once


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


def test_an_input_that_fails_is_opened_anew() -> None:
    converter = MockMcp3008(lambda _: 1.65, 3.3)
    tries: list[Any] = []

    def factory() -> Any:
        tries.append(converter.pin_factory())
        if len(tries) == 1:
            raise gpiozero.BadPinFactory("no pins here")
        return tries[-1]

    adc = GpiozeroAdc(0, 3, factory)
    with pytest.raises(OSError, match="BadPinFactory: no pins here"):
        adc.read()
    assert [adc.read(), adc.read()] == [512, 512]
    assert len(tries) == 2


def test_a_board_without_pins_says_why() -> None:
    def factory() -> Any:
        warnings.warn("lgpio: no /dev/gpiochip0", gpiozero.PinFactoryFallback, stacklevel=1)
        raise gpiozero.BadPinFactory("nothing")

    with pytest.raises(OSError, match="BadPinFactory: lgpio: no /dev/gpiochip0"):
        GpiozeroAdc(0, 0, factory).read()
