from typing import TYPE_CHECKING

import pytest

from edge_agent.probes.driver import read_once
from edge_agent.probes.drivers.i2c import sht3x
from edge_agent.probes.drivers.i2c.sht3x import MockSht3x
from edge_agent.probes.fault import Fault
from edge_agent.probes.mocks import MockI2c
from tests.edge_agent.probes.opened import open_probe

if TYPE_CHECKING:
    from edge_agent.probes.bus import I2cChip

GONE = (Fault.MISSING, "Remote I/O error")


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


def test_an_sht3x_is_found_at_its_address_and_may_be_unplugged() -> None:
    chips: dict[int, I2cChip] = {0x44: MockSht3x(lambda: 20.0)}
    probe = open_probe("sht3x", i2c=chips)
    assert read_once(probe)[0] == pytest.approx(20.0, abs=0.01)
    assert read_once(open_probe("sht3x", i2c=chips, address=0x45)) == GONE
    chips[0x45] = chips.pop(0x44)
    assert read_once(probe) == GONE
    other = open_probe("sht3x", i2c=chips, address="0x45")
    assert read_once(other)[0] == pytest.approx(20.0, abs=0.01)
