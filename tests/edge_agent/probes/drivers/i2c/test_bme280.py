import struct
from typing import TYPE_CHECKING

import pytest

from edge_agent.probes.driver import read_once
from edge_agent.probes.drivers.i2c import bme280
from edge_agent.probes.drivers.i2c.bme280 import MockBme280
from edge_agent.probes.fault import Fault
from edge_agent.probes.mocks import MockI2c
from isotherm.errors import SettingsError
from tests.edge_agent.probes.opened import open_probe

if TYPE_CHECKING:
    from edge_agent.probes.bus import I2cChip

EXAMPLE = bme280.EXAMPLE
GONE = (Fault.MISSING, "Remote I/O error")


def _integer(raw: int, calibration: bme280.Calibration) -> float:
    """The data sheet's 32 bit formula, which gives hundredths of a degree."""
    t1, t2, t3 = calibration
    first = (((raw >> 3) - (t1 << 1)) * t2) >> 11
    second = (((((raw >> 4) - t1) * ((raw >> 4) - t1)) >> 12) * t3) >> 14
    return ((first + second) * 5 + 128 >> 8) / 100


def test_the_formula_gives_the_example_of_the_data_sheet() -> None:
    # BMP280 data sheet, 3.12: 25.08 °C; the floating-point way has more digits.
    assert bme280.compensated(519_888, EXAMPLE) == pytest.approx(25.0825, abs=1e-4)


@pytest.mark.parametrize("calibration", (EXAMPLE, (28_181, 27_029, 50), (28_009, 25_654, 50)))
def test_both_formulas_of_the_data_sheet_agree(calibration: tuple[int, int, int]) -> None:
    chip = bme280.Calibration(*calibration)
    for raw in range(250_000, 800_000, 997):
        assert bme280.compensated(raw, chip) == pytest.approx(_integer(raw, chip), abs=0.011)


def _bme280(chip: MockBme280) -> bme280.Bme280Probe:
    return bme280.Bme280Probe(MockI2c({0x76: chip}), 0x76, lambda _: None)


@pytest.mark.parametrize("celsius", (-39.9, -0.01, 0.0, 21.37, 84.9))
def test_a_bme280_gives_what_it_measures(celsius: float) -> None:
    for kind in bme280.CHIPS:
        chip = MockBme280(lambda: celsius, kind)
        assert _bme280(chip).read() == pytest.approx(celsius, abs=0.001)


def test_what_is_no_bme280_says_so() -> None:
    found, why = read_once(_bme280(MockBme280(lambda: 20.0, chip=0x61)))
    assert found is Fault.MISSING
    assert why == "the chip at 0x76 says id 0x61: not a BME280"


def test_a_bme280_with_faults() -> None:
    assert _bme280(MockBme280(lambda: 120.0)).read() is Fault.RANGE
    blank = MockBme280(lambda: 20.0)
    blank.registers[bme280.CALIBRATION : bme280.CALIBRATION + 6] = struct.pack("<Hhh", 0, 0, 0)
    assert _bme280(blank).read() is Fault.CRC
    busy = MockBme280(lambda: 20.0)
    busy.registers[bme280.STATUS] = bme280.MEASURING
    assert _bme280(busy).read() is Fault.TIMEOUT


def test_a_bme280_that_has_not_measured_is_no_reading() -> None:
    class Deaf(MockBme280):
        """Loses its supply between the command and the answer."""

        def write(self, data: bytes) -> None:
            super().write(data[:1])

    assert _bme280(Deaf(lambda: 20.0)).read() is Fault.RESET


def test_a_bme280_is_found_at_its_address_and_may_be_unplugged() -> None:
    chips: dict[int, I2cChip] = {0x76: MockBme280(lambda: 20.0)}
    probe = open_probe("bme280", i2c=chips)
    assert read_once(probe)[0] == pytest.approx(20.0, abs=0.01)
    assert read_once(open_probe("bme280", i2c=chips, address=0x77)) == GONE
    chips[0x77] = chips.pop(0x76)
    assert read_once(probe) == GONE
    other = open_probe("bme280", i2c=chips, address="0x77")
    assert read_once(other)[0] == pytest.approx(20.0, abs=0.01)


@pytest.mark.parametrize("address", (0x78, "0x78", "x", True, 1.5))
def test_an_address_that_the_chip_cannot_have_is_refused(address: object) -> None:
    with pytest.raises(SettingsError, match='write "0x76" or "0x77"'):
        open_probe("bme280", address=address)
