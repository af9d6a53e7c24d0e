import struct
from typing import Any

import pytest

from edge_agent.fault import Fault
from edge_agent.mocks import MockBme280, MockChip, MockHardware, MockI2c, MockSht3x
from edge_agent.probe import driver
from edge_agent.probes import bme280, sht3x
from edge_agent.reader import read_once
from edge_agent.site import Site
from isotherm.errors import SettingsError
from isotherm.settings.table import load

EXAMPLE = bme280.Calibration(27_504, 26_435, -1_000)


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


def test_the_checksum_is_that_of_the_data_sheet() -> None:
    assert sht3x.checksum(b"\xbe\xef") == 0x92


@pytest.mark.parametrize(
    ("answer", "found"),
    (
        (b"\x00\x00\x81" + b"\x80\x00\xa2", Fault.RANGE),
        (b"\xbe\xef\x92" + b"\x80\x00\xa2", 0xBEEF * 175 / 65_535 - 45),
        (b"\xbe\xee\x92" + b"\x80\x00\xa2", Fault.CRC),
        (b"\xbe\xef\x93" + b"\x80\x00\xa2", Fault.CRC),
        (b"\xbe\xef\x92", Fault.CRC),
        (b"", Fault.CRC),
        (b"\xff" * 6, Fault.CRC),
    ),
)
def test_an_answer_of_an_sht3x(answer: bytes, found: float | Fault) -> None:
    assert sht3x.temperature(answer) == found


@pytest.mark.parametrize("celsius", (-39.9, 0.0, 21.37, 124.9))
def test_an_sht3x_gives_what_it_measures(celsius: float) -> None:
    bus = MockI2c({0x45: MockSht3x(lambda: celsius)})
    probe = sht3x.Sht3xProbe(bus, 0x45, lambda _: None)
    assert probe.read() == pytest.approx(celsius, abs=0.002)


def test_an_sht3x_that_was_not_given_its_time_does_not_answer() -> None:
    bus = MockI2c({0x44: MockSht3x(lambda: 20.0)})
    with pytest.raises(OSError, match="Remote I/O error"):
        bus.exchange(0x44, b"", 6)


def _open(name: str, chips: dict[int, MockChip], **keys: Any) -> Any:
    chosen = driver(name)
    settings = load(chosen.settings, "", file={"guid": "g", "driver": name, **keys})
    return chosen.open(settings, Site(state="CA", hardware=MockHardware(chips)))


@pytest.mark.parametrize(
    ("name", "usual", "other", "chip"),
    (("bme280", 0x76, 0x77, MockBme280), ("sht3x", 0x44, 0x45, MockSht3x)),
)
def test_a_chip_is_found_at_its_address_and_may_be_unplugged(
    name: str, usual: int, other: int, chip: type[MockBme280 | MockSht3x]
) -> None:
    chips: dict[int, MockChip] = {usual: chip(lambda: 20.0)}
    probe = _open(name, chips)
    assert read_once(probe)[0] == pytest.approx(20.0, abs=0.01)
    assert read_once(_open(name, chips, address=other)) == (Fault.MISSING, "Remote I/O error")
    chips[other] = chips.pop(usual)
    assert read_once(probe) == (Fault.MISSING, "Remote I/O error")
    assert read_once(_open(name, chips, address=hex(other)))[0] == pytest.approx(20.0, abs=0.01)


@pytest.mark.parametrize("address", (0x78, "0x78", "x", True, 1.5))
def test_an_address_that_the_chip_cannot_have_is_refused(address: object) -> None:
    with pytest.raises(SettingsError, match='write "0x76" or "0x77"'):
        _open("bme280", {}, address=address)
